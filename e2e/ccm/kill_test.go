package ccm

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/e2e/ccm/fixture"
)

// webService is the name of the Service that the manager reconciles when it is killed. The Service has two ports and a
// floating IP, so that the manager creates every kind of entity in Prism Central.
const webService = "web"

func createWebService(f *fixture.Fixture) {
	f.CreateService(webService, fixture.Ports(fixture.TCP(80), fixture.UDP(80)), fixture.Annotate(loadbalancer.AnnotationFloatingIP, "true"))
}

// waitForExactLoadBalancer waits until the Service has a complete load balancer and Prism Central contains no duplicate
// or leftover entities.
func waitForExactLoadBalancer(f *fixture.Fixture) {
	service, outside := f.WaitForAddress(webService)
	f.WaitFor("exactly one reservation and one floating IP", func() string {
		floating, reserved := f.FloatingIPsOf(service), f.ReservationsOf(service)
		if len(floating) != 1 || len(reserved) != 1 || floating[0].Address != outside {
			return fmt.Sprintf("the published address is %s; floating IPs are %v, reservations are %v", outside, floating, reserved)
		}
		return ""
	})
	f.WaitForSessions(webService, f.ReservationsOf(service)[0].Address, "worker-1")
}

func deleteWebService(f *fixture.Fixture) {
	f.DeleteService(webService)
	f.WaitForServiceDeleted(webService)
	require.Empty(f.T(), f.Entities())
}

// killCases are the operations during which the manager is killed. prepare creates the initial state, act starts the
// operation, and complete waits until the operation has completed.
var killCases = []struct {
	name                   string
	prepare, act, complete func(*fixture.Fixture)
}{
	{"creating", func(*fixture.Fixture) {}, createWebService, waitForExactLoadBalancer},
	{
		"changing a port",
		func(f *fixture.Fixture) { createWebService(f); waitForExactLoadBalancer(f) },
		func(f *fixture.Fixture) { f.EditService(webService, fixture.Ports(fixture.TCP(8080), fixture.UDP(80))) },
		waitForExactLoadBalancer,
	},
	{
		"deleting",
		func(f *fixture.Fixture) { createWebService(f); waitForExactLoadBalancer(f) },
		func(f *fixture.Fixture) { f.DeleteService(webService) },
		func(f *fixture.Fixture) { f.WaitForServiceDeleted(webService) },
	},
}

// The manager is killed at each write request to Prism Central: once before Prism Central gets the request, and once
// after Prism Central has processed the request but before the manager gets the response. A new process must complete
// the operation. After the Service is deleted, no entities may be left. Each case is repeated with the Service being
// deleted before the new process starts.
func TestManagerKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, test := range killCases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := fixture.New(t, suite, fixture.Options{})
			f.Join("worker-1")
			test.prepare(f)
			writes := f.CountWrites()
			test.act(f)
			test.complete(f)
			steps := writes()
			require.Positive(t, steps, "no write request when %s", test.name)
			t.Logf("%s needs %d write requests", test.name, steps)
			if f.ServiceExists(webService) {
				deleteWebService(f)
			}
			for step := 1; step <= steps; step++ {
				for _, done := range []bool{false, true} {
					for _, deleted := range []bool{false, true} {
						killAt(f, test.prepare, test.act, test.complete, step, done, deleted)
					}
				}
			}
		})
	}
}

// killAt kills the manager at the write request with the number step. If done is false, the manager is killed before
// Prism Central gets the request. If done is true, the manager is killed before it gets the response.
func killAt(f *fixture.Fixture, prepare, act, complete func(*fixture.Fixture), step int, done, deleted bool) {
	f.T().Logf("killing the manager at write %d, after the write: %t, Service deleted meanwhile: %t", step, done, deleted)
	prepare(f)
	held := f.HoldWrite(step, done)
	act(f)
	f.Await(held, "the write to be held")
	f.Manager.Kill()
	f.Proxy.SetRule(nil)
	leaving := f.GetService(webService).DeletionTimestamp != nil
	if deleted && leaving {
		f.Start()
		f.WaitForServiceDeleted(webService)
		require.Empty(f.T(), f.Entities())
		return
	}
	if deleted {
		f.DeleteService(webService)
		f.Start()
		f.WaitForServiceDeleted(webService)
		require.Empty(f.T(), f.Entities())
		return
	}
	f.Start()
	complete(f)
	if !leaving {
		deleteWebService(f)
	}
	require.Empty(f.T(), f.Entities())
}
