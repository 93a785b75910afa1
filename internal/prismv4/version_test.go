package prismv4

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLifetimeOfVersions(t *testing.T) {
	agreed, assumed := version{text: "v4.0", agreed: true}, version{text: newestVersion}
	assert.True(t, agreed.fresh(versionLife-1))
	assert.False(t, agreed.fresh(versionLife))
	assert.True(t, assumed.fresh(versionRetry-1))
	assert.False(t, assumed.fresh(versionRetry), "a Prism Central that did not say is asked again")
}

// After a 404 the version is negotiated again, but not for each 404 of a proxy.
func TestUnknownPathCausesNegotiation(t *testing.T) {
	var questions atomic.Int64
	var current atomic.Value
	current.Store("v4.2")
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		body := `{"data":{"extId":"a"}}`
		if r.Method == http.MethodOptions {
			questions.Add(1)
			body = `{"data":"` + current.Load().(string) + `"}`
		} else if r.URL.Path != "/api/vmm/"+current.Load().(string)+"/ahv/config/vms/a" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	endpoint := Endpoint{Address: host, Port: number, Insecure: true}
	c := New(Options{Endpoint: func(context.Context) (Endpoint, error) { return endpoint, nil }})
	object := Object[struct{ ExtID string }]{Namespace: VMM, Path: "/ahv/config/vms/a", Key: func(o *struct{ ExtID string }) string { return o.ExtID }, UUID: "a"}
	_, _, err = Get(t.Context(), c, object)
	require.NoError(t, err)
	known := c.connection.versions.of(VMM)
	answered := func(at time.Time) {
		known.mu.Lock()
		defer known.mu.Unlock()
		known.asked = at
	}

	current.Store("v4.0")
	answered(time.Now().Add(time.Hour)) // however long the requests take
	_, _, err = Get(t.Context(), c, object)
	assert.Equal(t, Unavailable, KindOf(err))
	_, _, err = Get(t.Context(), c, object)
	assert.Equal(t, Unavailable, KindOf(err), "the question was answered just now")
	require.EqualValues(t, 1, questions.Load())

	answered(time.Now().Add(-versionDoubt))
	_, _, err = Get(t.Context(), c, object)
	require.NoError(t, err)
	assert.EqualValues(t, 2, questions.Load())

	current.Store("nonsense")
	known.forget(0)
	got, err := c.version(t.Context(), c.connection, VMM)
	require.NoError(t, err)
	assert.Equal(t, "v4.0", got, "no answer changes nothing")
}
