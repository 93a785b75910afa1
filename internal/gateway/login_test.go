package gateway

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/prism/transport"
)

// After Prism Central has refused the credentials, the gateway forwards no request with them and opens no further session.
func TestRefusedCredentialsAreNotForwarded(t *testing.T) {
	central := newCentral(t, func(w http.ResponseWriter, req *http.Request) {
		if _, password, _ := req.BasicAuth(); password == "wrong" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		ok(w, req)
	})
	gateway := start(t, func(options *Options) { options.Upstreams = transport.NewUpstreams(time.Now) })
	creates := &recorder{}
	options := RunOptions{Upstream: central.upstream("admin", "wrong"), Mode: ReadWrite, Creates: creates}
	child := childOf(t, open(t, gateway, options))
	status, _ := child.do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	assert.Equal(t, http.StatusUnauthorized, status)
	for method, path := range map[string]string{http.MethodGet: "/api/nutanix/v3/vms/1", http.MethodPost: "/api/nutanix/v3/vms"} {
		status, body := child.do(t, method, path, `{"spec":{"name":"m"}}`)
		assert.Equal(t, http.StatusUnauthorized, status)
		assert.Equal(t, ReasonCredentialsRefused, reasonOf(t, body))
	}
	assert.Len(t, central.seen(), 1)
	assert.Equal(t, []string{"Sending {m false}", "Refused {m false}"}, creates.recorded())

	_, err := gateway.Open(options)
	var refused *CredentialsRefusedError
	require.ErrorAs(t, err, &refused)
	options.Upstream.Password = "right"
	status, _ = childOf(t, open(t, gateway, options)).do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	assert.Equal(t, http.StatusOK, status)
}
