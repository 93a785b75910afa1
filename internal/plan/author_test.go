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

func TestMachineOrigin(t *testing.T) {
	for name, tc := range map[string]struct {
		cloned, author, creator, templateAuthor, recorded string
		noTemplate                                        bool
		want, wantCreator, source                         string
	}{
		"cloned": {
			cloned: "t", author: "capi", creator: "capi", templateAuthor: "alice",
			want: "alice", wantCreator: "capi", source: "NutanixMachineTemplate/t",
		},
		"cloned, then changed": {
			cloned: "t", author: "bob", creator: "capi", templateAuthor: "alice", want: "bob", source: "NutanixMachine/m",
		},
		"template is gone": {
			cloned: "t", author: "capi", creator: "capi", noTemplate: true, wantCreator: "capi", source: "NutanixMachineTemplate/t",
		},
		"template was deleted by its author": {
			cloned: "t", author: "capi", creator: "capi", recorded: "alice", noTemplate: true,
			want: "alice", wantCreator: "capi", source: "NutanixMachineTemplate/t",
		},
		"template was replaced by another user": {
			cloned: "t", author: "capi", creator: "capi", recorded: "alice", templateAuthor: "bob",
			want: "alice", wantCreator: "capi", source: "NutanixMachineTemplate/t",
		},
		"deleted template from Git": {
			cloned: "t", author: "capi", creator: "capi", recorded: flux, noTemplate: true, wantCreator: "capi", source: "NutanixMachineTemplate/t",
		},
		"template of before": {cloned: "t", author: "capi", creator: "capi", wantCreator: "capi", source: "NutanixMachineTemplate/t"},
		"looks cloned": {
			cloned: "t", author: "mallory", creator: "mallory", templateAuthor: "alice",
			want: "alice", wantCreator: "mallory", source: "NutanixMachineTemplate/t",
		},
		"template from Git": {
			cloned: "t", author: "capi", creator: "capi", templateAuthor: flux, wantCreator: "capi", source: "NutanixMachineTemplate/t",
		},
		"machine from Git":  {author: flux, creator: flux, source: "NutanixMachine/m"},
		"created by a user": {author: "alice", creator: "alice", want: "alice", source: "NutanixMachine/m"},
	} {
		t.Run(name, func(t *testing.T) {
			machine := &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{Name: "m", Annotations: map[string]string{
				infrav1.AuthorAnnotation: tc.author, infrav1.CreatorAnnotation: tc.creator,
				infrav1.TemplateAuthorAnnotation: tc.recorded,
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
			want := infrav1.PlanOrigin{Author: tc.want, Creator: tc.wantCreator, Source: tc.source}
			assert.Equal(t, want, plan.MachineOrigin(machine, template, sets.New(flux)))
		})
	}
}

func TestClusterOrigin(t *testing.T) {
	cluster := &infrav1.NutanixCluster{ObjectMeta: metav1.ObjectMeta{Name: "c"}}
	assert.Equal(t, infrav1.PlanOrigin{Source: "NutanixCluster/c"}, plan.ClusterOrigin(cluster, nil))
	infrav1.SetAuthor(cluster, "alice")
	assert.Equal(t, infrav1.PlanOrigin{Author: "alice", Source: "NutanixCluster/c"}, plan.ClusterOrigin(cluster, nil))
	assert.Empty(t, plan.ClusterOrigin(cluster, sets.New("alice")).Author, "an account of a GitOps controller")
}
