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

	"github.com/capnt/capnt/e2e/ccm/world"
)

// TestFiveMinutesOf404LoseNoNode: for five minutes of the clock a proxy says 404 to everything, with the periods and limits
// that are deployed. Two Nodes are not ready; one machine exists, one was deleted. The manager asks all the time, and neither
// Node is deleted; when the answers are right again, the one of the deleted machine goes. This is the first of the files, so
// that it runs beside all others.
func TestFiveMinutesOf404LoseNoNode(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{
		Configure: asDeployed, Flags: []string{"--node-monitor-period=5s", "--node-status-update-frequency=5m"},
	})
	gone, _ := w.Join("gone"), w.Join("there")
	pid := w.Manager.PID()
	watcher, err := w.Kube.CoreV1().Nodes().Watch(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	defer watcher.Stop()
	var asked atomic.Int64
	w.Proxy.Judge(func(r *http.Request) world.Verdict {
		if strings.Contains(r.URL.Path, "/ahv/config/vms") {
			asked.Add(1)
		}
		return world.Verdict{Status: http.StatusNotFound, ContentType: "text/html", Body: page404}
	})
	require.NoError(t, w.Prism.DeleteVM(gone.UUID))
	w.SetReady("gone", false)
	w.SetReady("there", false)

	for minute := 1; minute <= 5; minute++ {
		before := asked.Load()
		noNodeIsDeleted(t, w, watcher, time.Minute)
		require.Greater(t, asked.Load(), before, "the manager asked for machines in minute %d", minute)
	}
	t.Logf("%d requests for machines were answered with 404 in five minutes", asked.Load())
	assert.ElementsMatch(t, []string{"gone", "there"}, w.NodeNames())

	w.Proxy.Judge(nil)
	w.NodeGone("gone")
	w.NodesStay(25, "there") // a period of monitoring
	assert.Equal(t, pid, w.Manager.PID())
	assert.True(t, w.Manager.Running())
}

// noNodeIsDeleted watches Nodes and the manager's process for so long.
func noNodeIsDeleted(t *testing.T, w *world.World, watcher watch.Interface, period time.Duration) {
	t.Helper()
	over := time.NewTimer(period)
	defer over.Stop()
	for {
		select {
		case <-over.C:
			return
		case <-w.Manager.Done():
			t.Fatal("the manager ended")
		case event, open := <-watcher.ResultChan():
			require.True(t, open, "the watch ended")
			require.Contains(t, []watch.EventType{watch.Added, watch.Modified}, event.Type, "%v", event.Object)
		}
	}
}
