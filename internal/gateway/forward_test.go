package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlanningRunCannotWrite(t *testing.T) {
	for _, test := range []struct {
		method, path string
		allowed      bool
	}{
		{http.MethodGet, "/api/nutanix/v3/vms/1", true},
		{http.MethodHead, "/api/nutanix/v3/vms/1", true},
		{http.MethodOptions, "/api/vmm/unversioned/info", true},
		{http.MethodGet, v4VM, true},
		{http.MethodGet, "/api/prism/v4.2/config/tasks/ZXJnb24=:1", true},
		{http.MethodHead, v4VM, false},
		{http.MethodPost, "/api/nutanix/v3/vms/list", true},
		{http.MethodPost, "/api/nutanix/v3/categories/k/list", true},
		{http.MethodPost, "/api/nutanix/v3/categories/a%2Fb/list", true},
		{http.MethodPost, "/api/nutanix/v3/vms", false},
		{http.MethodPost, "/api/nutanix/v3/vms%2Flist", false},
		{http.MethodPost, "/api/nutanix/v3/vms/../list", false},
		{http.MethodPost, "/api/nutanix/v3/vms/1/clone/%2e%2e/list", false},
		{http.MethodPost, "/api/nutanix/v3/vms/list/", false},
		{http.MethodPost, "/api/nutanix/v3/groups", false},
		{http.MethodPost, "/api/vmm/v4.0/ahv/config/vms", false},
		{http.MethodPost, "/api/vmm/v4.0/ahv/config/vms/list", false},
		{http.MethodPost, "/api/nutanix/v3/../../vmm/v4.2/ahv/config/vms/list", false},
		{http.MethodPut, v4VM, false},
		{http.MethodPatch, v4VM, false},
		{http.MethodDelete, v4VM, false},
		{http.MethodPost, v4VM + "/$actions/power-on", false},
		{http.MethodPost, v4VM + "/$actions/associate-categories", false},
		{http.MethodPost, v4VM + "/nics", false},
		{http.MethodPost, "/api/prism/v4.2/config/categories", false},
		{http.MethodPut, "/api/prism/v4.2/config/categories/1", false},
		{http.MethodPost, "/api/vmm/v4.2/ahv/policies/vm-anti-affinity-policies", false},
		{http.MethodPut, "/api/nutanix/v3/vms/1", false},
		{http.MethodPut, "/api/nutanix/v3/vms/list", false},
		{http.MethodPatch, "/api/nutanix/v3/vms/1", false},
		{http.MethodDelete, "/api/nutanix/v3/vms/1", false},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			central := newCentral(t, ok)
			session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadOnly})
			status, body := childOf(t, session).do(t, test.method, test.path, "")
			if test.allowed {
				assert.Equal(t, http.StatusOK, status, body)
				assert.Len(t, central.seen(), 1)
				return
			}
			assert.Equal(t, http.StatusForbidden, status)
			if test.method != http.MethodHead { // its response has no body
				assert.Equal(t, ReasonReadOnly, reasonOf(t, body))
			}
			assert.Empty(t, central.seen(), "nothing reaches Prism Central")
			assert.Equal(t, 1, session.Calls())
		})
	}
}

// TestStalledResponseEnds proves that a run does not wait for the rest of a response that Prism Central never sends.
func TestStalledResponseEnds(t *testing.T) {
	stop := make(chan struct{})
	central := newCentral(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		assert.NoError(t, http.NewResponseController(w).Flush())
		<-stop
	})
	t.Cleanup(func() { close(stop) })
	gateway := start(t)
	gateway.pools.options.CallTimeout = 500 * time.Millisecond
	child := childOf(t, open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadOnly}))
	resp, err := child.http.Do(child.request(t, http.MethodGet, "/api/nutanix/v3/vms/1", ""))
	require.NoError(t, err)
	if _, err = io.ReadAll(resp.Body); err == nil { // on a busy machine, the time may have passed before the headers arrived
		require.Equal(t, http.StatusGatewayTimeout, resp.StatusCode)
	}
	assert.NoError(t, resp.Body.Close())
}

func TestApplyingRunMayUseOnlyKnownMethods(t *testing.T) {
	central := newCentral(t, ok)
	session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite})
	child := childOf(t, session)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		status, _ := child.do(t, method, "/api/nutanix/v3/vms/1", "{}")
		assert.Equal(t, http.StatusOK, status, method)
	}
	status, body := child.do(t, http.MethodTrace, "/api/nutanix/v3/vms/1", "")
	assert.Equal(t, http.StatusMethodNotAllowed, status)
	assert.Equal(t, ReasonMethod, reasonOf(t, body))
	assert.Len(t, central.seen(), 4)
}

func TestUntrustedCertificateIsRefused(t *testing.T) {
	central, stranger := newCentral(t, ok), newCentral(t, ok)
	other, err := newAuthority([]byte{127, 0, 0, 1})
	require.NoError(t, err)
	upstream := central.upstream("admin", "pw")
	for name, bundle := range map[string][]byte{"no bundle": nil, "another CA": other.bundle} {
		t.Run(name, func(t *testing.T) {
			upstream := upstream
			upstream.CABundle = bundle
			session := open(t, start(t), RunOptions{Upstream: upstream, Mode: ReadWrite})
			for _, method := range []string{http.MethodGet, http.MethodPut} {
				status, body := childOf(t, session).do(t, method, "/api/nutanix/v3/vms/1", "")
				assert.Equal(t, http.StatusBadGateway, status)
				assert.Equal(t, ReasonCertificate, reasonOf(t, body))
				assert.Contains(t, body, "verifying the certificate of Prism Central "+upstream.Address)
				assert.Contains(t, body, "additionalTrustBundle")
			}
		})
	}
	t.Run("another name", func(t *testing.T) {
		upstream := stranger.upstream("admin", "pw")
		upstream.Address = strings.Replace(upstream.Address, "127.0.0.1", "localhost", 1)
		session := open(t, start(t), RunOptions{Upstream: upstream, Mode: ReadWrite})
		status, body := childOf(t, session).do(t, http.MethodGet, "/", "")
		assert.Equal(t, http.StatusBadGateway, status)
		assert.Equal(t, ReasonCertificate, reasonOf(t, body))
	})
	assert.Empty(t, central.seen())
	assert.Empty(t, stranger.seen())
	upstream.CABundle, upstream.Insecure = nil, true
	session := open(t, start(t), RunOptions{Upstream: upstream})
	status, _ := childOf(t, session).do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	assert.Equal(t, http.StatusOK, status, "insecure disables the verification")
}

func TestErrorBodiesAreUnchanged(t *testing.T) {
	const body = `{"code":422,"reason":"odd", "state": "not what the gateway would write"}`
	central := newCentral(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, body)
	})
	session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw")})
	status, got := childOf(t, session).do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	assert.Equal(t, http.StatusUnprocessableEntity, status)
	assert.Equal(t, body, got)
}

func TestLargeBodiesAreStreamed(t *testing.T) {
	const size = 48 << 20
	hash := sha256.New()
	half := make(chan struct{})
	central := newCentral(t, func(w http.ResponseWriter, _ *http.Request) {
		out := io.MultiWriter(w, hash)
		_, _ = io.CopyN(out, rand.Reader, size/2)
		if assert.NoError(t, http.NewResponseController(w).Flush()) {
			<-half
		}
		_, _ = io.CopyN(out, rand.Reader, size/2)
	})
	session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite})
	child := childOf(t, session)
	resp, err := child.http.Do(child.request(t, http.MethodGet, "/api/nutanix/v3/images/1/file", ""))
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	received := sha256.New()
	_, err = io.CopyN(received, resp.Body, size/2)
	require.NoError(t, err)
	close(half) // the first half arrives before the second half is written
	_, err = io.Copy(received, resp.Body)
	require.NoError(t, err)
	assert.Equal(t, hash.Sum(nil), received.Sum(nil))

	upload := strings.Repeat("x", 16<<20)
	go func() { _, _ = io.Copy(io.Discard, resp.Body) }()
	status, _ := child.do(t, http.MethodPost, "/api/nutanix/v3/images/1/large/list", upload)
	assert.Equal(t, http.StatusOK, status)
	assert.Len(t, central.seen()[1].body, len(upload), "a read that is too large for a retry is still sent")
}

func TestRequestsAreCounted(t *testing.T) {
	central := newCentral(t, ok)
	registry := prometheus.NewRegistry()
	gateway := start(t, func(options *Options) { options.Registerer = registry })
	session := open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadOnly})
	child := childOf(t, session)
	child.do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	child.do(t, http.MethodDelete, "/api/nutanix/v3/vms/1", "")
	session.Close()
	child.do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	// The gateway counts a request after it has written the response, so the child may get the response before the request is counted.
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.NoError(c, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP capnt_gateway_requests_total Requests of Terraform runs, by method, class of the response status and mode of the session.
# TYPE capnt_gateway_requests_total counter
capnt_gateway_requests_total{method="DELETE",mode="read-only",status="4xx"} 1
capnt_gateway_requests_total{method="GET",mode="none",status="4xx"} 1
capnt_gateway_requests_total{method="GET",mode="read-only",status="2xx"} 1
# HELP capnt_gateway_refusals_total Requests of Terraform runs that were not forwarded, by reason.
# TYPE capnt_gateway_refusals_total counter
capnt_gateway_refusals_total{reason="GATEWAY_READ_ONLY"} 1
capnt_gateway_refusals_total{reason="GATEWAY_SESSION_UNKNOWN"} 1
# HELP capnt_gateway_sessions Open sessions of Terraform runs.
# TYPE capnt_gateway_sessions gauge
capnt_gateway_sessions 0
`), "capnt_gateway_requests_total", "capnt_gateway_refusals_total", "capnt_gateway_sessions"))
	}, waitFor, tick)
}

// TestIncompleteWriteResponseStaysIncomplete proves that the child does not take the beginning of a response for the whole of it. The
// request cannot be retried.
func TestIncompleteWriteResponseStaysIncomplete(t *testing.T) {
	central := newCentral(t, cutBody)
	gateway := start(t)
	child := childOf(t, open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite}))
	resp, err := child.http.Do(child.request(t, http.MethodPut, "/api/nutanix/v3/vms/1", "{}"))
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	_, err = io.ReadAll(resp.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Len(t, central.seen(), 1)
	require.Eventually(t, func() bool {
		return testutil.ToFloat64(gateway.metrics.requests.WithLabelValues("PUT", "2xx", "read-write")) == 1
	}, waitFor, tick)
}
