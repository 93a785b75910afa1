package scenario

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/internal/toolbox"
)

// A living cluster is migrated to the v4 API and back. Prism Central receives no request that changes a VM, and the cluster stays
// Available. The manager is killed in the middle. This test does not run in parallel to others, because it kills the manager.
func TestClusterIsMigratedToV4AndBack(t *testing.T) {
	if !slices.ContainsFunc(toolbox.ProviderVersions(t), supportsV4) {
		t.Log("no provider in the mirror supports the v4 API: make tools PROVIDER_2=path adds one")
		return
	}
	c := newCluster(t, "migrated")
	c.ControlPlanes, c.Workers, c.API = 3, 3, infrav1.PrismAPIV3
	c.apply()
	c.complete()
	require.Len(t, c.machines(), 6)
	before, requests := c.vms(), len(testStack.Prism.Requests())
	stop := c.staysAvailable()

	c.ask(infrav1.PrismAPIV4)
	c.waitForMigrated(infrav1.PrismAPIV4, 2)
	require.NoError(t, testStack.Env.KillManager())
	logf(t, "killed the manager")
	require.NoError(t, testStack.StartManager(c.ctx))
	c.waitForMigrated(infrav1.PrismAPIV4, 7)
	c.plansClean()
	assert.Empty(t, writesSince(requests))

	c.ask(infrav1.PrismAPIV3)
	c.waitForMigrated(infrav1.PrismAPIV3, 7)
	c.plansClean()
	assert.Equal(t, []string{"PUT /api/nutanix/v3/categories/KubernetesClusterName/migrated"}, writesSince(requests))
	assert.Equal(t, before, c.vms())
	stop()
	c.complete()
}

func supportsV4(version string) bool {
	generation, err := provider.ForVersion(version)
	return err == nil && generation.V4
}

// ask makes the owner of the cluster ask for an API.
func (c *cluster) ask(api infrav1.PrismAPI) {
	c.t.Helper()
	c.patch(&infrav1.NutanixCluster{}, c.Name, fmt.Sprintf(`{"spec":{"terraform":{"api":%q}}}`, api))
	logf(c.t, "asked for the %s API", api)
}

// waitForMigrated waits until at least count objects of the cluster use the API. Meanwhile at most one control plane machine and three
// machines are being migrated at the same time.
func (c *cluster) waitForMigrated(api infrav1.PrismAPI, count int) {
	c.t.Helper()
	c.must(testStack.Env.Wait(c.ctx, fmt.Sprintf("%d objects to use the %s API", count, api), func(context.Context) (bool, string, error) {
		object := &infrav1.NutanixCluster{}
		if err := testStack.Env.Client.Get(c.ctx, c.key(), object); err != nil {
			return false, "", err
		}
		objects := []conditions.Setter{object}
		planes, migrating, done := 0, 0, 0
		machines := c.machines()
		for i := range machines {
			objects = append(objects, &machines[i])
			if infrav1.MigratingPrismAPI(&machines[i]) == "" {
				continue
			}
			migrating++
			if _, plane := machines[i].Labels[clusterv1.MachineControlPlaneLabel]; plane {
				planes++
			}
		}
		if planes > 1 || migrating > 3 {
			return false, "", fmt.Errorf("%d machines are being migrated, %d of them are control plane machines", migrating, planes)
		}
		var waiting []string
		for _, object := range objects {
			metadata := object.(client.Object)
			if infrav1.RecordedPrismAPI(metadata) == api && infrav1.MigratingPrismAPI(metadata) == "" {
				done++
				continue
			}
			waiting = append(waiting, metadata.GetName()+": "+conditions.GetMessage(object.(conditions.Getter), infrav1.PrismAPIMigratedCondition))
		}
		return done >= count, strings.Join(waiting, "; "), nil
	}))
	logf(c.t, "%d objects use the %s API", count, api)
}

// staysAvailable watches the cluster. The returned function ends the watch and requires that the cluster was Available all the time.
func (c *cluster) staysAvailable() (stop func()) {
	c.t.Helper()
	watch, err := testStack.Env.Client.Watch(c.ctx, &clusterv1.ClusterList{}, client.InNamespace(c.Namespace))
	require.NoError(c.t, err)
	unavailable := make(chan []string, 1)
	go func() {
		var seen []string
		for event := range watch.ResultChan() {
			object, isCluster := event.Object.(*clusterv1.Cluster)
			if isCluster && !conditions.IsTrue(object, clusterv1.AvailableCondition) {
				seen = append(seen, conditions.GetMessage(object, clusterv1.AvailableCondition))
			}
		}
		unavailable <- seen
	}()
	return func() {
		watch.Stop()
		assert.Empty(c.t, <-unavailable)
	}
}

// writesSince returns the requests since the given number of requests that can change something in Prism Central.
func writesSince(requests int) []string {
	var writes []string
	for _, request := range testStack.Prism.Requests()[requests:] {
		switch {
		case request.Method == http.MethodGet, request.Method == http.MethodOptions:
		case request.Method == http.MethodPost && strings.HasSuffix(request.Path, "/list"):
		default:
			writes = append(writes, request.Method+" "+request.Path)
		}
	}
	return writes
}
