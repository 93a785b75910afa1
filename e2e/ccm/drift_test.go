package ccm

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/e2e/ccm/fixture"
)

func repairEvery(period time.Duration, orphans config.OrphanPolicy) func(*config.Config) {
	return func(c *config.Config) {
		c.LoadBalancer.RepairPeriod = metav1.Duration{Duration: period}
		c.LoadBalancer.Orphans = orphans
	}
}

// An administrator deletes one session, changes the targets of another session, and unreserves the address. The manager
// repairs the sessions, and the Service keeps its address. Another Service cannot get the address before the repair,
// because a session still uses the address.
func TestDriftIsRepaired(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{Configure: repairEvery(time.Second, config.OrphansReport)})
	f.Join("worker-1")
	f.CreateService("web", fixture.Ports(fixture.TCP(80), fixture.TCP(443)))
	service, address := f.WaitForAddress("web")
	f.WaitForSessions("web", address, "worker-1")

	f.DeleteSession(f.Sessions(service)[0])
	f.WaitForSessions("web", address, "worker-1")
	f.SetTargetPort(f.Sessions(service)[1], 1)
	f.WaitForSessions("web", address, "worker-1")
	f.Unreserve(address)
	f.CreateService("another")
	_, other := f.WaitForAddress("another")
	assert.NotEqual(t, address, other)
	f.DeleteSession(f.Sessions(service)[0])
	f.WaitForSessions("web", address, "worker-1")
	_, now := f.WaitForAddress("web")
	assert.Equal(t, address, now)
}

// While the manager is stopped, a user removes the finalizer of a Service and deletes the Service. The entities of the
// Service in Prism Central are now orphans. By default, the manager only reports orphans. If it is configured with
// "orphans: Delete", the manager deletes them. It must keep the entities of another cluster whose name starts with the
// name of this cluster.
func TestOrphanIsReportedOrDeleted(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{Configure: repairEvery(time.Second, config.OrphansReport)})
	f.Join("worker-1")
	f.CreateService("forced", fixture.Ports(fixture.TCP(80), fixture.UDP(80)))
	f.CreateService("stays")
	f.WaitForAddress("forced")
	_, address := f.WaitForAddress("stays")
	other := f.Config.ClusterName + "-other"
	f.CreateForeignEntities(other)
	foreign := f.ForeignEntities(other)
	require.Len(t, foreign, 2)
	before := f.Entities()
	f.Manager.Kill()
	f.ForceDeleteService("forced")
	f.Start()
	f.WaitForLog("orphan")
	f.Consistently(10, func() string {
		return missing(fmt.Sprint(before) == fmt.Sprint(f.Entities()), fmt.Sprintf("entities changed to %v", f.Entities()))
	})

	f.Configure(func(c *config.Config) { c.LoadBalancer.Orphans = config.OrphansDelete })
	f.WaitFor("the orphans to be deleted", func() string {
		return missing(len(f.Entities()) == 2, fmt.Sprint(f.Entities()))
	})
	f.WaitForSessions("stays", address, "worker-1")
	require.Equal(t, foreign, f.ForeignEntities(other))
}
