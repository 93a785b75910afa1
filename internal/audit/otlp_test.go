package audit

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collectorv1 "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"
)

// endpoint is an OTLP endpoint that keeps the bodies of log records as lines.
type endpoint struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	lost   bool // whether the endpoint keeps what it responds to with an error
	lines  []byte
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{status: http.StatusOK}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	request := &collectorv1.ExportLogsServiceRequest{}
	if err != nil || r.URL.Path != "/v1/logs" || proto.Unmarshal(body, request) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.WriteHeader(e.status)
	if e.status != http.StatusOK && !e.lost {
		return
	}
	for _, resource := range request.GetResourceLogs() {
		for _, scope := range resource.GetScopeLogs() {
			for _, record := range scope.GetLogRecords() {
				e.lines = append(e.lines, record.GetBody().GetStringValue()+"\n"...)
			}
		}
	}
}

func (e *endpoint) set(status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status = status
}

func (e *endpoint) received() []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lines
}

func TestOTLPEndpointReceivesChain(t *testing.T) {
	for name, lost := range map[string]bool{"request lost": false, "response lost": true} {
		t.Run(name, func(t *testing.T) {
			e, c := newEndpoint(t), newCluster()
			log, err := New(Options{Client: c, Reader: c, Term: func() string { return "lease/1/a" }, OTLPEndpoint: e.URL})
			require.NoError(t, err)
			appendRecords(t, log, 0, 12)
			e.lost = lost
			e.set(http.StatusBadRequest)
			require.ErrorContains(t, log.Append(t.Context(), *sample(12)), "sending audit records to the OTLP endpoint")
			e.set(http.StatusOK)
			appendRecords(t, log, 13, 3)

			head, err := ReadHead(t.Context(), c, "")
			require.NoError(t, err)
			report, err := check(head, e.received())
			require.NoError(t, err)
			assert.Equal(t, 16, report.Records, "the record that was not accepted is sent again")
			assert.Zero(t, report.Unacknowledged)
			assert.InDelta(t, 3, testutil.ToFloat64(log.metrics.records.WithLabelValues(string(Apply))), 0)
			assert.InDelta(t, 1, testutil.ToFloat64(log.metrics.errors.WithLabelValues("trail")), 0)
		})
	}
}

func TestOTLPEndpointReceivesCopies(t *testing.T) {
	path, _ := files(t)
	e, c := newEndpoint(t), newCluster()
	log := c.pod(t, path, "lease/1/a")
	log.options.OTLPEndpoint = e.URL
	file, err := log.openSinks()
	require.NoError(t, err)
	log.writer.sink, log.writer.file = log.sink, file
	appendRecords(t, log, 0, 12)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	require.NoError(t, log.Start(stopped))
	assert.Equal(t, string(read(t, path)), string(e.received()))

	e.set(http.StatusBadRequest)
	appendRecords(t, log, 12, 1)
	require.NoError(t, log.Start(stopped))
	assert.InDelta(t, 1, testutil.ToFloat64(log.metrics.errors.WithLabelValues("otlp")), 0)
	assert.Equal(t, 13, c.verify(t, path).Records)
}

func TestOTLPEndpointMustBeURL(t *testing.T) {
	for _, endpoint := range []string{"collector:4318", "ftp://collector", "http://", "http://%"} {
		_, err := New(Options{OTLPEndpoint: endpoint})
		assert.ErrorContains(t, err, "configuring the OTLP endpoint of the audit log", endpoint)
	}
}
