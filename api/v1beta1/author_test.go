package v1beta1_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// TestUnknownAuthorStaysUnknown checks that a user cannot claim an object that was stored before admission recorded authors.
func TestUnknownAuthorStaysUnknown(t *testing.T) {
	old, claimed := &infrav1.NutanixMachine{}, &infrav1.NutanixMachine{}
	infrav1.SetAuthor(claimed, "mallory")
	infrav1.SetCreator(claimed, "mallory")
	infrav1.KeepAuthor(claimed, old)
	infrav1.KeepCreator(claimed, old)
	assert.Empty(t, claimed.Annotations)
}

func TestClonedFromNeedsAnUnchangedMachineOfAMachineTemplate(t *testing.T) {
	const kind = "NutanixMachineTemplate.infrastructure.cluster.x-k8s.io"
	for name, tc := range map[string]struct{ kind, author, creator, want string }{
		"cloned":                   {kind, "capi", "capi", "t"},
		"cloned before v0.2":       {kind, "", "", "t"},
		"changed":                  {kind, "alice", "capi", ""},
		"changed after an upgrade": {kind, "alice", "", ""},
		"other kind":               {"DockerMachineTemplate.infrastructure.cluster.x-k8s.io", "capi", "capi", ""},
		"created by a user":        {"", "alice", "alice", ""},
	} {
		machine := &infrav1.NutanixMachine{}
		machine.Annotations = map[string]string{
			clusterv1.TemplateClonedFromGroupKindAnnotation: tc.kind, clusterv1.TemplateClonedFromNameAnnotation: "t",
			infrav1.AuthorAnnotation: tc.author, infrav1.CreatorAnnotation: tc.creator,
		}
		assert.Equal(t, tc.want, machine.ClonedFrom(), name)
	}
}
