// Package upgrade tests upgrades from earlier releases. Each test starts its own stack from the snapshot of a
// release.
package upgrade

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/renderer"
)

// An upgrade from v0.1.0 must not change infrastructure. Every object must be ready after the upgrade, the manager must
// plan each workspace once with its old provider version and find no changes, and Prism Central must get only read
// requests. Afterwards, the deletion of the cluster must leave no objects.
func TestUpgradeFromV010(t *testing.T) {
	f := start(t, "v0.1.0")
	key := f.snapshot.Clusters()[0]
	before := f.stack.Prism.VMs()
	require.Len(t, before, 2)

	f.becomesReady(key.Namespace)
	f.eachWorkspaceIsPlanned()
	assert.Equal(t, before, f.stack.Prism.VMs())
	f.onlyReads()
	assert.Zero(t, f.commands("apply"), "no plan was applied")
	f.machinesArePinned(key.Namespace)
	for _, machine := range f.machines(key.Namespace) {
		assert.NoError(t, f.stack.PlanClean(f.ctx, &machine))
		assert.Equal(t, restored, machine.Annotations[infrav1.ProviderVersionAnnotation])
	}
	f.becomesReady(key.Namespace)

	require.NoError(t, f.stack.WaitComplete(f.ctx, key))
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	require.NoError(t, f.stack.Env.Client.Delete(f.ctx, cluster))
	require.NoError(t, f.stack.Env.WaitForGone(f.ctx, cluster))
	assert.Empty(t, f.stack.Prism.VMs())
	for _, installer := range f.snapshot.Installers {
		require.NoError(t, client.IgnoreNotFound(f.stack.Env.Client.Delete(f.ctx, installer)))
	}
	require.NoError(t, f.stack.Env.Wait(f.ctx, "the cluster's leftovers to be deleted", func(ctx context.Context) (bool, string, error) {
		left, err := f.stack.LeftoversOf(ctx, key.Namespace, key.Name)
		return len(left) == 0, strings.Join(left, ", "), err
	}))
	f.deleteRest(key.Namespace)
}

// becomesReady waits until all CAPNT objects in the namespace that have a Ready condition are ready.
func (f *fixture) becomesReady(namespace string) {
	f.t.Helper()
	require.NoError(f.t, f.stack.Env.Wait(f.ctx, "all objects to be ready", func(ctx context.Context) (bool, string, error) {
		var waiting []string
		count := 0
		for _, object := range f.objects(ctx, namespace) {
			ready := conditions.Get(object, clusterv1.ReadyCondition)
			count++
			if ready == nil || ready.Status != metav1.ConditionTrue || ready.ObservedGeneration != object.GetGeneration() {
				waiting = append(waiting, fmt.Sprintf("%T %s: %v", object, object.GetName(), ready))
			}
		}
		return len(waiting) == 0 && count > 0, strings.Join(waiting, ", "), nil
	}))
}

// conditionsOf is an object with conditions.
type conditionsOf interface {
	client.Object
	conditions.Setter
}

// objects returns the CAPNT objects in the namespace that have a Ready condition.
func (f *fixture) objects(ctx context.Context, namespace string) []conditionsOf {
	f.t.Helper()
	var found []conditionsOf
	clusters := &infrav1.NutanixClusterList{}
	require.NoError(f.t, f.stack.Env.Client.List(ctx, clusters, client.InNamespace(namespace)))
	for i := range clusters.Items {
		found = append(found, &clusters.Items[i])
	}
	for _, machine := range f.machines(namespace) {
		found = append(found, &machine)
	}
	domains := &infrav1.NutanixFailureDomainList{}
	require.NoError(f.t, f.stack.Env.Client.List(ctx, domains, client.InNamespace(namespace)))
	for i := range domains.Items {
		found = append(found, &domains.Items[i])
	}
	return found
}

func (f *fixture) machines(namespace string) []infrav1.NutanixMachine {
	f.t.Helper()
	machines := &infrav1.NutanixMachineList{}
	require.NoError(f.t, f.stack.Env.Client.List(f.ctx, machines, client.InNamespace(namespace)))
	require.NotEmpty(f.t, machines.Items)
	return machines.Items
}

// eachWorkspaceIsPlanned waits until the manager has run as many plans as there are workspaces.
func (f *fixture) eachWorkspaceIsPlanned() {
	f.t.Helper()
	workspaces := 0
	for _, object := range f.snapshot.Objects {
		if object.GetKind() == "Secret" && object.GetLabels()["tfstate"] == "true" {
			workspaces++
		}
	}
	require.Equal(f.t, 3, workspaces)
	require.NoError(f.t, f.stack.Env.Wait(f.ctx, "each workspace to be planned", func(context.Context) (bool, string, error) {
		planned := f.commands("plan")
		return planned >= workspaces, fmt.Sprintf("%d planned", planned), nil
	}))
}

// machinesArePinned waits until each machine has pinned inputs and a workspace digest in the current format. It
// requires that the pinned Prism Element of each machine is the Prism Element of its VM.
func (f *fixture) machinesArePinned(namespace string) {
	f.t.Helper()
	require.NoError(f.t, f.stack.Env.Wait(f.ctx, "the machines to be pinned", func(context.Context) (bool, string, error) {
		for _, machine := range f.machines(namespace) {
			if machine.Annotations[infrav1.PinnedInputsAnnotation] == "" || !renderer.DigestIsCurrent(machine.Status.Terraform.WorkspaceDigest) {
				return false, machine.Name + " is not", nil
			}
		}
		return true, "", nil
	}))
	elements := map[string]string{}
	for _, vm := range f.stack.Prism.VMs() {
		uuid, err := f.stack.Prism.UUID("cluster", vm.PrismElement)
		require.NoError(f.t, err)
		elements[vm.UUID] = uuid
	}
	for _, machine := range f.machines(namespace) {
		assert.Contains(f.t, machine.Annotations[infrav1.PinnedInputsAnnotation], `"prismElement":{"uuid":"`+elements[machine.Status.VMUUID]+`"`)
	}
}

// onlyReads checks that Prism Central got only read requests.
func (f *fixture) onlyReads() {
	f.t.Helper()
	requests := f.stack.Prism.Requests()
	require.NotEmpty(f.t, requests)
	for _, request := range requests {
		read := request.Method == "GET" || request.Method == "OPTIONS" ||
			request.Method == "POST" && (strings.HasSuffix(request.Path, "/list") || strings.HasSuffix(request.Path, "/groups"))
		assert.True(f.t, read, "%s %s", request.Method, request.Path)
	}
}

// deleteRest deletes the objects that the Cluster does not own: failure domains, templates and credentials.
func (f *fixture) deleteRest(namespace string) {
	f.t.Helper()
	rest, err := f.stack.Env.Objects(f.ctx, namespace)
	require.NoError(f.t, err)
	for _, object := range rest {
		require.NoError(f.t, client.IgnoreNotFound(f.stack.Env.Client.Delete(f.ctx, object)))
	}
	require.NoError(f.t, f.stack.Env.Wait(f.ctx, "all objects to be deleted", func(ctx context.Context) (bool, string, error) {
		left, err := f.stack.Env.Objects(ctx, namespace)
		var names []string
		for _, object := range left {
			names = append(names, object.GetKind()+" "+object.GetName())
		}
		return len(left) == 0, strings.Join(names, ", "), err
	}))
}

// testdata returns the directory with the snapshot of a release.
func testdata(release string) string { return filepath.Join("../../testdata", release) }
