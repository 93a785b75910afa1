package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/capnt/capnt/internal/prism/transport"
)

// TestRetryableRequestsAreNotAllowedForPlanning proves that the rules for retries and for planning runs are separate. The groups query
// may be retried, because it only reads, but planning runs may not send it, because they do not need it.
func TestRetryableRequestsAreNotAllowedForPlanning(t *testing.T) {
	const groups = "/api/nutanix/v3/groups"
	req := httptest.NewRequest(http.MethodPost, groups, nil)
	assert.True(t, transport.IsRetryable(req))
	assert.False(t, allowedWhilePlanning(req))

	central := newCentral(t, failingFirst(2, respond(http.StatusServiceUnavailable)))
	gateway := start(t)
	planning := open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadOnly})
	status, body := childOf(t, planning).do(t, http.MethodPost, groups, "{}")
	assert.Equal(t, http.StatusForbidden, status)
	assert.Equal(t, ReasonReadOnly, reasonOf(t, body))
	assert.Empty(t, central.seen())

	applying := open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite})
	status, _ = childOf(t, applying).do(t, http.MethodPost, groups, "{}")
	assert.Equal(t, http.StatusOK, status)
	assert.Len(t, central.seen(), 3)
}
