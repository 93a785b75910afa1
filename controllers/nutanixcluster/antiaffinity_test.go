package nutanixcluster

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/renderer"
)

func (e *testEnvironment) setAntiAffinity(wanted infrav1.AntiAffinity) {
	e.T.Helper()
	mutate(e, func(cluster *infrav1.NutanixCluster) { cluster.Spec.ControlPlaneAntiAffinity = wanted })
}

// mainFile returns the root module of the last run.
func (e *testEnvironment) mainFile() string {
	_, files := e.Terraform.Variables()
	return string(files["main.tf"])
}

// The UUID of the category is published when the category exists. The category stays until no machine has it.
func TestAntiAffinityIsPublishedAndWithdrawn(t *testing.T) {
	e := newV4Environment(t)
	e.running()
	assert.NotContains(t, e.NutanixCluster.Annotations, infrav1.ControlPlaneCategoryAnnotation)
	value := provisioning.ControlPlaneCategoryValue(e.NutanixCluster)
	assert.Equal(t, "c-"+provisioning.WorkspaceKey(e.NutanixCluster)[:8], value)
	pair := controllertest.CategoryUUID(infrav1.ControlPlaneCategoryKey, value)

	e.Prism.PutCategory(infrav1.ControlPlaneCategoryKey, value)
	e.setAntiAffinity(infrav1.AntiAffinityPreferred)
	e.settle()
	assert.Equal(t, pair, e.NutanixCluster.Annotations[infrav1.ControlPlaneCategoryAnnotation])
	require.Contains(t, e.mainFile(), "control_plane_anti_affinity = true")
	workspace, err := Render(e.NutanixCluster)
	require.NoError(t, err)
	assert.Equal(t, e.mainFile(), string(workspace.Files["main.tf"]))
	assert.True(t, e.NutanixCluster.Status.Ready)

	user := controllertest.VM{UUID: controllertest.UUID(6, 9), Name: "cp", CategoryUUIDs: []string{pair}}
	e.Prism.Put(user)
	e.setAntiAffinity(infrav1.AntiAffinityNone)
	result := e.settle()
	assert.Contains(t, e.mainFile(), "control_plane_anti_affinity = false", "a machine has the category")
	assert.LessOrEqual(t, result.RequeueAfter, usersInterval)
	user.CategoryUUIDs = nil
	e.Prism.Put(user)
	e.Advance(usersInterval)
	e.settle()
	assert.NotContains(t, e.mainFile(), "control_plane")
	assert.NotContains(t, e.NutanixCluster.Annotations, infrav1.ControlPlaneCategoryAnnotation)
	assert.True(t, e.NutanixCluster.Status.Ready)
}

// A VM that somebody has restored from a snapshot has the categories of the machine, and Prism Central does not delete a category in use.
func TestDeletionKeepsTheControlPlaneCategoryThatIsInUse(t *testing.T) {
	for name, used := range map[string]bool{"by a VM": true, "by nobody": false} {
		t.Run(name, func(t *testing.T) {
			e := newV4Environment(t)
			e.running()
			value := provisioning.ControlPlaneCategoryValue(e.NutanixCluster)
			e.Prism.PutCategory(infrav1.ControlPlaneCategoryKey, value)
			e.setAntiAffinity(infrav1.AntiAffinityPreferred)
			e.settle()
			if used {
				pair := controllertest.CategoryUUID(infrav1.ControlPlaneCategoryKey, value)
				e.Prism.Put(controllertest.VM{UUID: controllertest.UUID(6, 9), Name: "restored", CategoryUUIDs: []string{pair}})
			}
			e.delete()
			assert.True(t, e.Gone(e.NutanixCluster), "%+v", e.NutanixCluster.Status.Conditions)
			assert.False(t, e.hasCategory())
			assert.Equal(t, used, e.Prism.HasCategory(infrav1.ControlPlaneCategoryKey, value))
			kept := "The value " + value + " of category " + infrav1.ControlPlaneCategoryKey + " stays in Prism Central: virtual machine restored"
			assert.Equal(t, used, strings.Contains(strings.Join(e.Recorder.All(), "\n"), kept))
		})
	}
}

// Others may use the category in a policy of their own. An import of such a policy would rename it, and a destroy would delete it.
func TestPolicyOfOthersIsNotImported(t *testing.T) {
	e := newV4Environment(t)
	e.running()
	value := provisioning.ControlPlaneCategoryValue(e.NutanixCluster)
	e.Prism.PutCategory(infrav1.ControlPlaneCategoryKey, value)
	access, err := e.reconciler.Prism.Access(t.Context(), e.NutanixCluster)
	require.NoError(t, err)
	s := &scope{cluster: e.Cluster, nutanixCluster: e.NutanixCluster, access: access}
	for i, name := range []string{"theirs", value} {
		policy, isOurs := controllertest.UUID(7, i), name == value
		e.Prism.PutPolicy(policy, name, controllertest.CategoryUUID(infrav1.ControlPlaneCategoryKey, value))
		category := identity{access.Client, infrav1.ControlPlaneCategoryKey, value}
		found, err := category.findPolicy(t.Context(), "")
		require.NoError(t, err)
		assert.Equal(t, map[bool]string{true: policy}[isOurs], found)
		exists, err := s.findControlPlane(t.Context())
		require.NoError(t, err)
		assert.Equal(t, controlPlane{category: true, policy: isOurs}, exists)
		described, err := category.describePolicies(t.Context())
		require.NoError(t, err)
		assert.Equal(t, isOurs, strings.Contains(described, policy))
	}
}

func TestAntiAffinityNeedsV4(t *testing.T) {
	e := newTestEnvironment(t)
	e.NutanixCluster.Spec.ControlPlaneAntiAffinity = infrav1.AntiAffinityPreferred
	e.CreateCluster(e.Environment)
	e.settle()
	e.requireFalse(infrav1.PlanRecordedCondition, infrav1.InvalidSpecReason)
	assert.Contains(t, conditions.GetMessage(e.NutanixCluster, infrav1.PlanRecordedCondition), "needs the v4 API")
	e.setAntiAffinity(infrav1.AntiAffinityNone)
	e.Advance(time.Hour)
	e.settle()
	assert.True(t, e.NutanixCluster.Status.Ready)
}

// What a run that was interrupted has created is imported before it is deleted.
func TestAntiAffinityIsWithdrawnInOrder(t *testing.T) {
	e := newV4Environment(t)
	e.running()
	s := &scope{cluster: e.Cluster, nutanixCluster: e.NutanixCluster}
	settings, err := provisioning.RecordedSettings(e.NutanixCluster, kind, e.NutanixCluster)
	require.NoError(t, err)
	digest := func(controlPlane *renderer.ControlPlane) string {
		inputs := clusterInputs("c")
		inputs.ControlPlane = controlPlane
		workspace, err := renderer.RenderCluster(settings, inputs)
		require.NoError(t, err)
		return workspace.Digest
	}
	withPolicy, withCategory := controlPlaneInputs(e.NutanixCluster, true), controlPlaneInputs(e.NutanixCluster, false)
	for name, test := range map[string]struct {
		found   controlPlane
		applied *renderer.ControlPlane
		want    *renderer.ControlPlane
	}{
		"nothing exists":                     {controlPlane{}, withPolicy, nil},
		"machines have the category":         {controlPlane{category: true, policy: true, users: true}, withPolicy, withCategory},
		"no machine has it":                  {controlPlane{category: true, policy: true}, withPolicy, nil},
		"the policy is deleted":              {controlPlane{category: true, users: true}, withCategory, withCategory},
		"the last machine has lost it":       {controlPlane{category: true}, withCategory, nil},
		"an unknown policy":                  {controlPlane{category: true, policy: true, users: true}, withCategory, withPolicy},
		"an unknown policy and category":     {controlPlane{category: true, policy: true}, nil, withPolicy},
		"an unknown category without policy": {controlPlane{category: true}, nil, withCategory},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.withdrawControlPlane(settings, test.found, digest(test.applied))
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestControlPlaneCategoryValueHasAtMost64Characters(t *testing.T) {
	cluster := &infrav1.NutanixCluster{}
	cluster.Labels = map[string]string{"cluster.x-k8s.io/cluster-name": strings.Repeat("a", 63)}
	cluster.Annotations = map[string]string{infrav1.WorkspaceKeyAnnotation: "0a1b2c3d-4e5f-6789-abcd-ef0123456789"}
	assert.Equal(t, strings.Repeat("a", 55)+"-0a1b2c3d", provisioning.ControlPlaneCategoryValue(cluster))
}
