package module

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/renderer"
)

const controlPlaneKey, controlPlaneValue = "KubernetesClusterControlPlane", "c1-1a2b3c4d"

// renderControlPlane renders a cluster with the category of the control plane.
func (f *fixture) renderControlPlane(antiAffinity bool) renderer.Workspace {
	f.t.Helper()
	workspace, err := renderer.RenderCluster(f.settings(), renderer.Cluster{CategoryKey: clusterKey, CategoryValue: clusterValue,
		ControlPlane: &renderer.ControlPlane{CategoryKey: controlPlaneKey, CategoryValue: controlPlaneValue, AntiAffinity: antiAffinity}})
	require.NoError(f.t, err)
	return workspace
}

// writes returns the requests since the given number of requests that are not reads, without the version of the API.
func (f *fixture) writes(since int) []string {
	var writes []string
	for _, request := range f.prism.Requests()[since:] {
		if request.Method != http.MethodGet && request.Method != http.MethodOptions {
			_, path, _ := strings.Cut(strings.TrimPrefix(request.Path, "/api/"), "/v4")
			_, path, _ = strings.Cut(path, "/")
			writes = append(writes, request.Method+" "+idInPath.ReplaceAllString(path, "{id}"))
		}
	}
	return writes
}

// undisturbed applies a workspace and requires that its plan has only the given changes, that it disrupts nothing, that it sends only the
// given requests, and that the next plan is clean.
func (d *directory) undisturbed(workspace renderer.Workspace, want plan.Counts, requests ...string) {
	d.f.t.Helper()
	d.writeAll(workspace)
	record := d.record()
	record.Counts.Other = 0
	require.Equal(d.f.t, want, record.Counts, record.Summary())
	require.Equal(d.f.t, provider.None, record.Disruption, record.Summary())
	before := len(d.f.prism.Requests())
	d.apply()
	assert.Equal(d.f.t, requests, d.f.writes(before))
	d.plansClean()
}

// The anti-affinity of the control plane is switched on and off while its machines run. No machine is switched off, and nothing is left.
func TestAntiAffinityIsSwitchedOnAndOff(t *testing.T) {
	const category, policy, vm = "config/categories", "ahv/policies/vm-anti-affinity-policies", "ahv/config/vms"
	eachV4Provider(t, func(f *fixture) {
		cluster := f.open(f.renderCluster())
		cluster.plan()
		cluster.apply()
		machine := f.machine()
		d := f.open(f.render(machine))
		d.plan()
		d.apply()

		cluster.undisturbed(f.renderControlPlane(true), plan.Counts{Create: 2}, "POST "+category, "POST "+policy)
		pair := f.category(controlPlaneKey, controlPlaneValue)
		assert.Equal(t, pair.UUID, cluster.outputs()["control_plane_category_uuid"])
		policies := f.prism.AntiAffinityPolicies()
		require.Len(t, policies, 1)
		assert.Equal(t, prismsim.AntiAffinityPolicy{UUID: policies[0].UUID, Name: controlPlaneValue, Categories: []string{pair.UUID},
			Description: "Keeps the control plane machines of Kubernetes cluster c1 on different hosts."}, policies[0])

		before, apart := f.vm(), machine
		apart.CategoryRefs = append([]renderer.Ref{pair}, machine.CategoryRefs...)
		d.undisturbed(f.render(apart), plan.Counts{Update: 1}, "POST "+vm+"/{id}/$actions/associate-categories")
		assert.Equal(t, []string{controlPlaneValue}, f.vm().CategoryValues[controlPlaneKey])
		cluster.plansClean()

		cluster.undisturbed(f.renderControlPlane(false), plan.Counts{Delete: 1}, "DELETE "+policy+"/{id}")
		d.undisturbed(f.render(machine), plan.Counts{Update: 1}, "POST "+vm+"/{id}/$actions/disassociate-categories")
		cluster.undisturbed(f.renderCluster(), plan.Counts{Delete: 1}, "DELETE "+category+"/{id}")
		assert.Equal(t, []any{before.UUID, "ON"}, []any{f.vm().UUID, f.vm().PowerState})
		assert.Empty(t, f.prism.AntiAffinityPolicies())
		assert.Empty(t, f.prism.CategoryValues(controlPlaneKey))
	})
}

// A category that a machine has cannot be deleted. The policy is deleted before its category.
func TestPolicyIsDestroyedBeforeItsCategory(t *testing.T) {
	eachV4Provider(t, func(f *fixture) {
		cluster := f.open(f.renderControlPlane(true))
		cluster.plan()
		cluster.apply()
		cluster.plan("-destroy")
		before := len(f.prism.Requests())
		cluster.apply()
		writes := f.writes(before)
		require.Len(t, writes, 3)
		assert.Less(t, indexOf(writes, "DELETE ahv/policies/"), lastIndexOf(writes, "DELETE config/categories/"))
		assert.Empty(t, f.prism.AntiAffinityPolicies())
		assert.Empty(t, f.prism.CategoryValues(controlPlaneKey))
		assert.Empty(t, f.prism.CategoryValues(clusterKey))
	})
}

func indexOf(list []string, prefix string) int {
	for i, entry := range list {
		if strings.HasPrefix(entry, prefix) {
			return i
		}
	}
	return len(list)
}

func lastIndexOf(list []string, prefix string) int {
	last := -1
	for i, entry := range list {
		if strings.HasPrefix(entry, prefix) {
			last = i
		}
	}
	return last
}

// An interrupted create leaves a category and a policy that no state contains. The next run imports both and changes nothing.
func TestExistingPolicyAndCategoryAreAdopted(t *testing.T) {
	eachV4Provider(t, func(f *fixture) {
		made := f.open(f.renderControlPlane(true))
		made.plan()
		made.apply()
		mark, pair := f.category(clusterKey, clusterValue), f.category(controlPlaneKey, controlPlaneValue)
		policy := f.prism.AntiAffinityPolicies()[0]

		d := f.open(f.renderControlPlane(true).WithImports(map[string]string{
			renderer.CategoryAddressV4: mark.UUID, renderer.ControlPlaneCategoryAddress: pair.UUID, renderer.ControlPlanePolicyAddress: policy.UUID,
		}))
		record := d.record()
		record.Counts.Other = 0
		require.Equal(t, plan.Counts{Import: 3}, record.Counts, record.Summary())
		require.Equal(t, provider.None, record.Disruption)
		before := len(f.prism.Requests())
		d.apply()
		assert.Empty(t, f.writes(before))
		d.plansClean()
		d.destroy()
		assert.Empty(t, f.prism.AntiAffinityPolicies())
	})
}
