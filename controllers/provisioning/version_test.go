package provisioning

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// The mirror of the manager contains the versions 1.9.5, which is the default, and 2.4.2.
func TestProviderVersionOfAnObject(t *testing.T) {
	deleted := &metav1.Time{Time: time.Now()}
	annotated := func(version string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Annotations: map[string]string{infrav1.ProviderVersionAnnotation: version}}
	}
	recorded := func(version string) *infrav1.NutanixMachine {
		return &infrav1.NutanixMachine{ObjectMeta: annotated(version)}
	}
	migrating := func(api, version string) *infrav1.NutanixMachine {
		machine := recorded(version)
		machine.Annotations[infrav1.PrismAPIMigrationAnnotation] = api
		return machine
	}
	ofV010 := &infrav1.NutanixMachine{}
	ofV010.Status.Terraform = &infrav1.TerraformStatus{ProviderVersion: "2.4.2"}
	cluster := &infrav1.NutanixCluster{ObjectMeta: annotated("1.9.5")}
	deletedCluster := cluster.DeepCopy()
	deletedCluster.DeletionTimestamp = deleted

	for name, test := range map[string]struct {
		pinned string
		object client.Object
		want   string // empty if no version is available
		says   string
	}{
		"default":                              {"", &infrav1.NutanixMachine{}, "1.9.5", ""},
		"pinned":                               {"2.4.2", &infrav1.NutanixMachine{}, "2.4.2", ""},
		"the version of the last run":          {"", recorded("2.4.2"), "2.4.2", ""},
		"the last run of v0.1.0":               {"", ofV010, "2.4.2", ""},
		"the owner changes it":                 {"1.9.5", recorded("2.4.2"), "1.9.5", ""},
		"pinned, unavailable":                  {"2.5.0", &infrav1.NutanixMachine{}, "", "spec.terraform.providerVersion of NutanixCluster c is 2.5.0"},
		"pinned, unavailable, with a state":    {"2.5.0", recorded("2.4.2"), "2.4.2", ""},
		"pinned, unavailable, on a cluster":    {"2.5.0", cluster, "", "has 1.9.5, 2.4.2"},
		"the same cluster, deleted":            {"2.5.0", deletedCluster, "1.9.5", ""},
		"while it is migrated":                 {"", migrating("v3", "1.9.5"), "2.4.2", ""},
		"while it is migrated, pinned":         {"1.9.5", migrating("v4", "2.4.2"), "2.4.2", ""},
		"of the last run, unavailable":         {"", recorded("2.3.0"), "", "set spec.terraform.providerVersion of NutanixCluster c"},
		"both unavailable":                     {"2.5.0", recorded("2.3.0"), "", "2.5.0"},
		"of the last run, unavailable, pinned": {"2.4.2", recorded("2.3.0"), "2.4.2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := &Dependencies{ProviderVersion: "1.9.5", ProviderVersions: []string{"1.9.5", "2.4.2"}}
			owner := &infrav1.NutanixCluster{ObjectMeta: metav1.ObjectMeta{Name: "c"}}
			owner.Spec.Terraform = &infrav1.TerraformSpec{ProviderVersion: test.pinned}
			got, err := d.VersionFor(owner, test.object)
			assert.Equal(t, test.want, got)
			if test.want != "" {
				require.NoError(t, err)
				return
			}
			problem := Diagnose(err)
			assert.Equal(t, infrav1.ProviderVersionUnavailableReason, problem.Reason)
			assert.Contains(t, problem.Message, test.says)
			assert.False(t, problem.Retry)
		})
	}
}

func TestProviderVersionOfAnObjectThatUsesV4(t *testing.T) {
	object := func(recorded string) *infrav1.NutanixMachine {
		return &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
			infrav1.PrismAPIAnnotation: "v4", infrav1.ProviderVersionAnnotation: recorded}}}
	}
	newMachine := &infrav1.NutanixMachine{}
	v4Cluster := &infrav1.NutanixCluster{ObjectMeta: metav1.ObjectMeta{Name: "c", Annotations: map[string]string{infrav1.PrismAPIAnnotation: "v4"}}}
	both := []string{"1.9.5", "2.4.2", "2.10.0"}
	for name, test := range map[string]struct {
		preset string
		mirror []string
		pinned string
		object client.Object
		want   string // empty if no version is available
		says   string
	}{
		"highest of the mirror":             {"1.9.5", both, "", newMachine, "2.10.0", ""},
		"default":                           {"2.4.2", both, "", newMachine, "2.4.2", ""},
		"pinned":                            {"1.9.5", both, "2.4.2", newMachine, "2.4.2", ""},
		"the version of the last run":       {"1.9.5", both, "", object("2.4.2"), "2.4.2", ""},
		"the last run was for v3":           {"1.9.5", both, "", object("1.9.5"), "2.10.0", ""},
		"pinned, too old, with a state":     {"1.9.5", both, "1.9.5", object("2.4.2"), "2.4.2", ""},
		"pinned, too old":                   {"1.9.5", both, "1.9.5", newMachine, "", "is 1.9.5, which does not support the v4 API that the cluster uses"},
		"pinned, too old, on a cluster":     {"1.9.5", both, "1.9.5", v4Cluster, "", "set 2.4.0 or later, or leave the field out"},
		"pinned, not in the mirror":         {"1.9.5", both, "2.5.0", newMachine, "", "spec.terraform.providerVersion of NutanixCluster c is 2.5.0"},
		"none in the mirror":                {"1.9.5", nil, "", v4Cluster, "", "needs provider 2.4.0 or later, but the provider mirror of this manager has 1.9.5: set spec.terraform.api to v3"},
		"of the last run, gone":             {"1.9.5", []string{"1.9.5", "2.5.0"}, "", object("2.4.2"), "", "the last run used version 2.4.2"},
		"an unsupported version is ignored": {"1.9.5", []string{"1.9.5", "2.4.2", "3.0.0"}, "", newMachine, "2.4.2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := &Dependencies{ProviderVersion: test.preset, ProviderVersions: test.mirror}
			owner := v4Cluster.DeepCopy()
			owner.Spec.Terraform = &infrav1.TerraformSpec{ProviderVersion: test.pinned}
			got, err := d.VersionFor(owner, test.object)
			assert.Equal(t, test.want, got)
			if test.want != "" {
				require.NoError(t, err)
				return
			}
			problem := Diagnose(err)
			assert.Equal(t, infrav1.ProviderVersionUnavailableReason, problem.Reason)
			assert.Contains(t, problem.Message, test.says)
		})
	}
}

func TestProviderVersionIsRecordedWithTheKey(t *testing.T) {
	d, api := dependencies(t, machine())
	object := machine()
	require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(object), object))
	for _, version := range []string{"1.9.5", "2.4.2"} {
		require.NoError(t, d.EnsureWorkspaceKey(t.Context(), "NutanixMachine", object, "", version))
		stored := machine()
		require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(object), stored))
		assert.Equal(t, version, RecordedVersion(stored))
		assert.Equal(t, "uid-1", WorkspaceKey(stored), "the key stays")
	}
}
