package ccm

import (
	"net/http"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/ccm/fixture"
)

// Two replicas run with leader election. After the leader is killed, the other replica completes the work of the
// leader. The lease duration is 30 s instead of 15 s, so that the leader does not lose its lease on a busy machine.
func TestSecondReplicaTakesOver(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{Flags: []string{
		"--leader-elect=true", "--leader-elect-lease-duration=30s", "--leader-elect-renew-deadline=25s", "--leader-elect-retry-period=1s",
	}})
	f.Join("worker-1")
	second := f.Replica()
	require.NoError(t, second.Start())
	f.WaitFor("the second replica to be healthy", func() string {
		if err := second.Healthy(t.Context()); err != nil {
			return err.Error()
		}
		return ""
	})
	f.CreateService("before")
	_, address := f.WaitForAddress("before")
	f.WaitForSessions("before", address, "worker-1")
	assert.NotContains(t, second.Log(), "Ensuring load balancer", "only the leader may reconcile Services")

	f.Manager.Kill()
	f.CreateService("after")
	f.DeleteService("before")
	_, address = f.WaitForAddress("after")
	f.WaitForSessions("after", address, "worker-1")
	f.WaitForServiceDeleted("before")
	f.DeleteService("after")
	f.WaitForServiceDeleted("after")
	require.NoError(t, second.Stop())
}

// The metrics count requests to Prism Central. Only authorized users can read the metrics: the manager authorizes each
// reader with a SubjectAccessReview.
func TestMetricsRequireAuthorization(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	f.Join("worker-1")
	f.CreateService("web")
	f.WaitForAddress("web")
	status, page := f.Metrics(true)
	require.Equal(t, http.StatusOK, status, page)
	for _, metric := range []string{
		`capnt_ccm_prism_requests_total{code="200",operation="ListVMs"}`, "capnt_ccm_prism_request_duration_seconds_bucket",
		"capnt_ccm_prism_task_duration_seconds_count", "capnt_ccm_prism_cache_lookups_total", "node_controller_initial_node_sync_delay",
	} {
		assert.Contains(t, page, metric)
	}
	status, _ = f.Metrics(false)
	assert.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, status)
}

// The version of the manager must start with the Kubernetes version. With any other version, the framework does not
// recognise its own feature gates.
func TestVersionStartsWithKubernetesVersion(t *testing.T) {
	t.Parallel()
	output, err := exec.Command(suite.Binary, "--version").CombinedOutput()
	require.NoError(t, err, string(output))
	assert.Regexp(t, `^capnt-ccm v1\.\d+\.\d+\+capnt-v\d+\.\d+\.\d+\S*\n$`, string(output))
}
