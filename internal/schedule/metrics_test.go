package schedule

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMetricsShowQueuedRuns(t *testing.T) {
	test(t, Options{Slots: 1}, func(f *fixture) {
		f.submit("check", 2, Run{Lane: Check})
		f.submit("delete", 1, Run{Lane: Delete})
		f.pass(10 * time.Second)
		f.finish("check-0")
		require.NoError(t, testutil.CollectAndCompare(f.Scheduler, strings.NewReader(`
# HELP capnt_runs Runs by lane and state (queued or active).
# TYPE capnt_runs gauge
capnt_runs{lane="check",state="active"} 0
capnt_runs{lane="check",state="queued"} 1
capnt_runs{lane="create",state="active"} 0
capnt_runs{lane="create",state="queued"} 0
capnt_runs{lane="delete",state="active"} 1
capnt_runs{lane="delete",state="queued"} 0
capnt_runs{lane="update",state="active"} 0
capnt_runs{lane="update",state="queued"} 0
`), "capnt_runs"))
		waits, ok := f.waits.WithLabelValues("delete").(prometheus.Metric)
		require.True(t, ok)
		var written dto.Metric
		require.NoError(t, waits.Write(&written))
		assert.InDelta(t, 10, written.GetHistogram().GetSampleSum(), 0.001)
		f.finish("delete-0", "check-1")
	})
}
