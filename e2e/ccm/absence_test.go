package ccm

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/capnt/capnt/e2e/ccm/fixture"
)

// For five minutes, a proxy responds to every request with 404, while the manager uses the periods and limits of its
// Deployment. Two Nodes are not ready. The VM of one of them exists, and the VM of the other was deleted. The manager
// must not delete either Node until Prism Central can respond again. This file is the first one of the package, so that
// this long test starts early and runs in parallel with the other tests.
func TestNoNodeIsDeletedDuringFiveMinutesOf404(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{
		Configure: deployedLimits, Flags: []string{"--node-monitor-period=5s", "--node-status-update-frequency=5m"},
	})
	gone, _ := f.Join("gone"), f.Join("there")
	pid := f.Manager.PID()
	watcher, err := f.Kube.CoreV1().Nodes().Watch(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	defer watcher.Stop()
	var asked atomic.Int64
	f.Proxy.SetRule(func(r *http.Request) fixture.Action {
		if strings.Contains(r.URL.Path, "/ahv/config/vms") {
			asked.Add(1)
		}
		return fixture.Action{Status: http.StatusNotFound, ContentType: "text/html", Body: page404}
	})
	require.NoError(t, f.Prism.DeleteVM(gone.UUID))
	f.SetReady("gone", false)
	f.SetReady("there", false)

	for minute := 1; minute <= 5; minute++ {
		before := asked.Load()
		requireNoNodeDeleted(t, f, watcher, time.Minute)
		require.Greater(t, asked.Load(), before, "no request for VMs in minute %d", minute)
	}
	t.Logf("%d requests for VMs got 404 in five minutes", asked.Load())
	assert.ElementsMatch(t, []string{"gone", "there"}, f.NodeNames())

	f.Proxy.SetRule(nil)
	f.WaitForNodeDeleted("gone")
	f.RequireNodesStay(25, "there") // five seconds, the node monitor period
	assert.Equal(t, pid, f.Manager.PID())
	assert.True(t, f.Manager.Running())
}

// requireNoNodeDeleted requires that no Node is deleted during the period and that the manager does not exit.
func requireNoNodeDeleted(t *testing.T, f *fixture.Fixture, watcher watch.Interface, period time.Duration) {
	t.Helper()
	over := time.NewTimer(period)
	defer over.Stop()
	for {
		select {
		case <-over.C:
			return
		case <-f.Manager.Done():
			t.Fatal("the manager ended")
		case event, open := <-watcher.ResultChan():
			require.True(t, open, "the watch ended")
			require.Contains(t, []watch.EventType{watch.Added, watch.Modified}, event.Type, "%v", event.Object)
		}
	}
}
