package soak

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/stack"
)

// categoryKey and categoryValue are the category that an update adds to each VM. Adding a category does not affect the
// guest.
const categoryKey, categoryValue = "Environment", "Staging"

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }

// write retries a write to the API server, because the API server rejects writes while no manager serves the webhooks.
func (h *harness) write(ctx context.Context, what string, write func(context.Context) error) {
	h.t.Helper()
	require.NoError(h.t, h.Env.Wait(ctx, what, func(ctx context.Context) (bool, string, error) {
		err := write(ctx)
		return err == nil, "", err
	}))
}

func (h *harness) createObjects(ctx context.Context, objects ...client.Object) {
	h.t.Helper()
	for _, object := range objects {
		h.write(ctx, fmt.Sprintf("%T %s to be created", object, object.GetName()), func(ctx context.Context) error {
			return client.IgnoreAlreadyExists(h.Env.Client.Create(ctx, object))
		})
	}
}

func (h *harness) createCluster(ctx context.Context) {
	h.t.Helper()
	h.createObjects(ctx, h.cluster().Objects()...)
}

// createMachine creates a Machine with bootstrap data, as a control plane or a MachineSet does.
func (h *harness) createMachine(ctx context.Context, name string) {
	h.t.Helper()
	infrastructure, machine := h.cluster().Machine(name)
	h.createObjects(ctx, infrastructure, machine)
}

func (h *harness) cluster() stack.BareCluster {
	host, port := h.interceptor.address()
	return stack.BareCluster{Namespace: namespace, Name: clusterName, Address: host, Port: port, TrustBundle: h.interceptor.trustBundle(),
		Credentials: h.Options().Credentials}
}

// eachMachine calls do for each machine, to write the objects of the machine. The manager may be killed during the
// calls.
func (h *harness) eachMachine(ctx context.Context, do func(context.Context, string)) {
	h.t.Helper()
	for _, name := range h.machines {
		do(ctx, name)
	}
}

// create creates all machines, and requires that each machine gets exactly one VM with one state.
func (h *harness) create(faults []fault) {
	h.t.Helper()
	h.interceptor.startPhase(false)
	ctx, cancel := context.WithTimeout(context.Background(), phaseBase)
	defer cancel()
	h.eachMachine(ctx, h.createMachine)
	h.during("create", faults, func(ctx context.Context) string { return h.notReady(ctx, nil) })
	h.requireVMs(nil)
	creates, _ := h.interceptor.results()
	for _, name := range h.machines {
		require.Equal(h.t, 1, creates[name], "VM %s was created more than once", name)
	}
}

// update adds a category to all machines, and requires that the same VMs still exist and have the category.
func (h *harness) update(faults []fault) {
	h.t.Helper()
	h.interceptor.startPhase(false)
	ctx, cancel := context.WithTimeout(context.Background(), phaseBase)
	defer cancel()
	before := h.vmUUIDs()
	h.changeMachines(ctx)
	wanted := map[string]string{categoryKey: categoryValue}
	h.during("update", faults, func(ctx context.Context) string { return h.notReady(ctx, wanted) })
	h.requireVMs(wanted)
	require.Equal(h.t, before, h.vmUUIDs(), "a VM was replaced")
}

// changeMachines adds a category to all machines.
func (h *harness) changeMachines(ctx context.Context) {
	h.t.Helper()
	h.eachMachine(ctx, func(ctx context.Context, name string) {
		machine := &infrav1.NutanixMachine{ObjectMeta: named(name)}
		patch := fmt.Appendf(nil, `{"spec":{"additionalCategories":[{"key":%q,"value":%q}]}}`, categoryKey, categoryValue)
		h.write(ctx, "NutanixMachine "+name+" to be changed", func(ctx context.Context) error {
			return h.Env.Client.Patch(ctx, machine, client.RawPatch("application/merge-patch+json", patch))
		})
	})
}

// delete deletes all machines, and requires that they leave nothing behind.
func (h *harness) delete(faults []fault) {
	h.t.Helper()
	h.interceptor.startPhase(true)
	ctx, cancel := context.WithTimeout(context.Background(), phaseBase)
	defer cancel()
	h.eachMachine(ctx, func(ctx context.Context, name string) {
		h.write(ctx, "Machine "+name+" to be deleted", func(ctx context.Context) error {
			return client.IgnoreNotFound(h.Env.Client.Delete(ctx, &clusterv1.Machine{ObjectMeta: named(name)}))
		})
	})
	h.during("delete", faults, h.notDeleted)
	h.requireNothingLeft("machines", func(ctx context.Context) ([]string, error) { return h.leftOfMachines(ctx) })
}

// deleteCluster deletes the cluster, and requires that it leaves nothing in Prism Central, in the management cluster,
// or on this host.
func (h *harness) deleteCluster() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), phaseBase)
	defer cancel()
	cluster := &clusterv1.Cluster{ObjectMeta: named(clusterName)}
	require.NoError(h.t, h.Env.Client.Delete(ctx, cluster))
	h.during("delete cluster", nil, func(ctx context.Context) string { return h.exists(ctx, cluster) })
	h.requireNothingLeft("the cluster", func(ctx context.Context) ([]string, error) { return h.LeftoversOf(ctx, namespace, clusterName) })
	h.requireNothingLeft("runs", func(context.Context) ([]string, error) { return h.LeftOnMachine() })
}
