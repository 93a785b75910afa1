package ccm

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/e2e/ccm/world"
)

func repairEvery(period time.Duration, orphans config.OrphanPolicy) func(*config.Config) {
	return func(c *config.Config) {
		c.LoadBalancer.RepairPeriod = metav1.Duration{Duration: period}
		c.LoadBalancer.Orphans = orphans
	}
}

// TestDriftIsRepaired: somebody deletes a session, changes the targets of another and frees the address. The sessions still
// have that one, so that it cannot be reserved again and nobody else can get it: the Service keeps it.
func TestDriftIsRepaired(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{Configure: repairEvery(time.Second, config.OrphansReport)})
	w.Join("worker-1")
	w.Service("web", world.Ports(world.TCP(80), world.TCP(443)))
	service, address := w.Served("web")
	w.Balances("web", address, "worker-1")

	w.DeleteSession(w.Sessions(service)[0])
	w.Balances("web", address, "worker-1")
	w.Retarget(w.Sessions(service)[1], 1)
	w.Balances("web", address, "worker-1")
	w.Unreserve(address)
	w.Service("another")
	_, other := w.Served("another")
	assert.NotEqual(t, address, other)
	w.DeleteSession(w.Sessions(service)[0])
	w.Balances("web", address, "worker-1")
	_, now := w.Served("web")
	assert.Equal(t, address, now)
}

// TestOrphanIsReportedOrCollected: a Service is gone, its finalizer having been taken away by force while the manager was
// dead. By default that is only said; where deletion is configured, it is cleaned up. Another cluster's pieces, whose name
// begins alike, stay.
func TestOrphanIsReportedOrCollected(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{Configure: repairEvery(time.Second, config.OrphansReport)})
	w.Join("worker-1")
	w.Service("forced", world.Ports(world.TCP(80), world.UDP(80)))
	w.Service("stays")
	w.Served("forced")
	_, address := w.Served("stays")
	other := w.Config.ClusterName + "-other"
	w.MakeForeign(other)
	foreign := w.Foreign(other)
	require.Len(t, foreign, 2)
	before := w.Pieces()
	w.Manager.Kill()
	w.ForceAway("forced")
	w.Start()
	w.LogUntil("orphan")
	w.Throughout(10, func() string {
		return missing(fmt.Sprint(before) == fmt.Sprint(w.Pieces()), fmt.Sprintf("pieces changed to %v", w.Pieces()))
	})

	w.Configure(func(c *config.Config) { c.LoadBalancer.Orphans = config.OrphansDelete })
	w.Until("the orphans to be collected", func() string {
		return missing(len(w.Pieces()) == 2, fmt.Sprint(w.Pieces()))
	})
	w.Balances("stays", address, "worker-1")
	require.Equal(t, foreign, w.Foreign(other))
}
