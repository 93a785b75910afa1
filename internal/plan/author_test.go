package plan_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
)

const flux = "system:serviceaccount:flux-system:kustomize-controller"

func TestMachineAuthor(t *testing.T) {
	for name, tc := range map[string]struct {
		cloned, author, creator, templateAuthor string
		noTemplate                              bool
		username, source                        string
		wrote, others                           []string
	}{
		"cloned": {
			cloned: "t", author: "capi", creator: "capi", templateAuthor: "alice",
			username: "alice", source: "NutanixMachineTemplate/t", wrote: []string{"alice", "capi"}, others: []string{"bob"},
		},
		"cloned, then changed": {
			cloned: "t", author: "bob", creator: "capi", templateAuthor: "alice",
			username: "bob", source: "NutanixMachine/m", wrote: []string{"bob"}, others: []string{"alice", "capi"},
		},
		"template is gone": {
			cloned: "t", author: "capi", creator: "capi", noTemplate: true,
			source: "NutanixMachineTemplate/t", wrote: []string{"capi"}, others: []string{"alice", ""},
		},
		"template of before": {
			cloned: "t", author: "capi", creator: "capi",
			source: "NutanixMachineTemplate/t", wrote: []string{"capi"}, others: []string{""},
		},
		"looks cloned": {
			cloned: "t", author: "mallory", creator: "mallory", templateAuthor: "alice",
			username: "alice", source: "NutanixMachineTemplate/t", wrote: []string{"alice", "mallory"},
		},
		"template from Git": {
			cloned: "t", author: "capi", creator: "capi", templateAuthor: flux,
			source: "NutanixMachineTemplate/t", wrote: []string{"capi"}, others: []string{flux},
		},
		"machine from Git": {author: flux, creator: flux, source: "NutanixMachine/m", others: []string{flux, ""}},
		"created by a user": {
			author: "alice", creator: "alice", username: "alice", source: "NutanixMachine/m", wrote: []string{"alice"}, others: []string{"bob"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			machine := &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{Name: "m", Annotations: map[string]string{
				infrav1.AuthorAnnotation: tc.author, infrav1.CreatorAnnotation: tc.creator,
			}}}
			if tc.cloned != "" {
				machine.Annotations[clusterv1.TemplateClonedFromNameAnnotation] = tc.cloned
				machine.Annotations[clusterv1.TemplateClonedFromGroupKindAnnotation] = "NutanixMachineTemplate.infrastructure.cluster.x-k8s.io"
			}
			var template *infrav1.NutanixMachineTemplate
			if !tc.noTemplate {
				template = &infrav1.NutanixMachineTemplate{ObjectMeta: metav1.ObjectMeta{Name: "t"}}
				infrav1.SetAuthor(template, tc.templateAuthor)
			}
			author := plan.MachineAuthor(machine, template, sets.New(flux))
			assert.Equal(t, tc.username, author.Username)
			assert.Equal(t, tc.source, author.Source)
			for _, user := range tc.wrote {
				assert.True(t, author.Wrote(user), user)
			}
			for _, user := range tc.others {
				assert.False(t, author.Wrote(user), user)
			}
		})
	}
}

func TestClusterAuthor(t *testing.T) {
	cluster := &infrav1.NutanixCluster{ObjectMeta: metav1.ObjectMeta{Name: "c"}}
	assert.Empty(t, plan.ClusterAuthor(cluster, nil).Username)
	infrav1.SetAuthor(cluster, "alice")
	author := plan.ClusterAuthor(cluster, nil)
	assert.Equal(t, "alice", author.Username)
	assert.Equal(t, "NutanixCluster/c", author.Source)
	assert.True(t, author.Wrote("alice"))
	assert.False(t, plan.ClusterAuthor(cluster, sets.New("alice")).Wrote("alice"), "an account of a GitOps controller")
}
