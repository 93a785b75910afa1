package nutanixmachine

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
)

// A Prism Central that accepts connections and never responds does not delay the machines of another one, even if it has more machines than
// the controller has workers.
func TestSilentPrismCentralDoesNotDelayOthers(t *testing.T) {
	e := newTestEnvironment(t)
	e.reconciler.HealthInterval = time.Hour
	requests := atomic.Int32{}
	stop := make(chan struct{})
	silent := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		requests.Add(1)
		<-stop
	}))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(stop) })

	e.Manage(config, e.reconciler, &e.reconciler.Dependencies) // with two workers
	other := e.clusterAt(silent)
	all := []*infrav1.NutanixMachine{other.NutanixMachine}
	for i := range 20 {
		all = append(all, (&testEnvironment{Environment: e.Environment, Fixture: other}).machineLike(fmt.Sprint("silent-", i)))
	}
	e.Eventually("a request to the silent Prism Central", func() bool { return requests.Load() > 0 })
	began := time.Now()
	e.CreateMachine(e.Environment)
	e.Eventually("ready", func() bool { return !e.Gone(e.NutanixMachine) && e.NutanixMachine.Status.Ready })
	// The tests of package transport check the four seconds. A request without a response takes a minute.
	assert.Less(t, time.Since(began), 30*time.Second)
	t.Logf("the machine was ready after %s", time.Since(began))
	failed := 0
	for _, machine := range all {
		if !e.Gone(machine) && conditions.GetReason(machine, infrav1.InputsResolvedCondition) == infrav1.PrismUnreachableReason {
			assert.Contains(t, conditions.GetMessage(machine, infrav1.InputsResolvedCondition), "does not respond")
			failed++
		}
	}
	assert.Positive(t, failed)
}

// clusterAt creates a second cluster with one machine. Its Prism Central is server.
func (e *testEnvironment) clusterAt(server *httptest.Server) *controllertest.Fixture {
	e.T.Helper()
	f := controllertest.NewFixture(e.Environment)
	for _, object := range []interface {
		SetName(name string)
		SetLabels(labels map[string]string)
	}{f.Credentials, f.Cluster, f.NutanixCluster, f.Bootstrap, f.Machine, f.NutanixMachine} {
		object.SetName("silent")
		object.SetLabels(map[string]string{clusterv1.ClusterNameLabel: "silent"})
	}
	f.Bootstrap.Name = "silent-bootstrap"
	f.Cluster.Spec.InfrastructureRef.Name, f.Machine.Spec.ClusterName, f.Machine.Spec.InfrastructureRef.Name = "silent", "silent", "silent"
	f.Machine.Spec.Bootstrap.DataSecretName = &f.Bootstrap.Name
	endpoint := f.NutanixCluster.Spec.PrismCentral
	endpoint.Port = port(server)
	endpoint.CredentialRef.Name = f.Credentials.Name
	endpoint.Insecure, endpoint.AdditionalTrustBundle = true, nil
	f.CreateCluster(e.Environment)
	f.CreateMachine(e.Environment)
	return f
}

func port(server *httptest.Server) int32 {
	return int32(server.Listener.Addr().(*net.TCPAddr).Port)
}
