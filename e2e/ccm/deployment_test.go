package ccm

import (
	"net/http"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/ccm/world"
)

// TestSecondReplicaTakesOver: two replicas, as deployed. The one that works is killed, and what it did not do is done by the
// other. A lease is held longer than by default, 15 s, so that a slow machine loses none.
func TestSecondReplicaTakesOver(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{Flags: []string{
		"--leader-elect=true", "--leader-elect-lease-duration=30s", "--leader-elect-renew-deadline=25s", "--leader-elect-retry-period=1s",
	}})
	w.Join("worker-1")
	second := w.Replica()
	require.NoError(t, second.Start())
	w.Until("the second replica to be healthy", func() string {
		if err := second.Healthy(t.Context()); err != nil {
			return err.Error()
		}
		return ""
	})
	w.Service("before")
	_, address := w.Served("before")
	w.Balances("before", address, "worker-1")
	assert.NotContains(t, second.Log(), "Ensuring load balancer", "the second replica waits for its turn")

	w.Manager.Kill()
	w.Service("after")
	w.DeleteService("before")
	_, address = w.Served("after")
	w.Balances("after", address, "worker-1")
	w.ServiceGone("before")
	w.DeleteService("after")
	w.ServiceGone("after")
	require.NoError(t, second.Stop())
}

// TestMetricsAreForThoseWhoMayReadThem: the operations on Prism Central are counted, and only who may read the page gets it:
// the manager asks the API server, with the roles that are deployed.
func TestMetricsAreForThoseWhoMayReadThem(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	w.Service("web")
	w.Served("web")
	status, page := w.Metrics(true)
	require.Equal(t, http.StatusOK, status, page)
	for _, metric := range []string{
		`capnt_ccm_prism_requests_total{code="200",operation="ListVMs"}`, "capnt_ccm_prism_request_duration_seconds_bucket",
		"capnt_ccm_prism_task_duration_seconds_count", "capnt_ccm_prism_cache_lookups_total", "node_controller_initial_node_sync_delay",
	} {
		assert.Contains(t, page, metric)
	}
	status, _ = w.Metrics(false)
	assert.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, status)
}

// TestVersionIsThatOfKubernetesExtended: of any other version the framework takes its own feature gates for unknown.
func TestVersionIsThatOfKubernetesExtended(t *testing.T) {
	t.Parallel()
	said, err := exec.Command(site.Binary, "--version").CombinedOutput()
	require.NoError(t, err, string(said))
	assert.Regexp(t, `^capnt-ccm v1\.\d+\.\d+\+capnt-v\d+\.\d+\.\d+\S*\n$`, string(said))
}
