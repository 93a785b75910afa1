package scenario

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/capnt/capnt/e2e/ccm/fixture"
)

// proxy is a proxy between the manager and Prism Central for one cluster. It can inject faults without affecting other
// clusters.
type proxy struct {
	*fixture.Proxy
	status, hits atomic.Int64
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	made, err := fixture.NewProxy(testStack.Prism.URL(), testStack.Prism.CABundle())
	require.NoError(t, err)
	t.Cleanup(made.Close)
	p := &proxy{Proxy: made}
	made.SetRule(func(r *http.Request) fixture.Action {
		status := p.status.Load()
		if status == 0 || !strings.HasPrefix(r.URL.Path, "/api/nutanix/v3/") {
			return fixture.Forward
		}
		p.hits.Add(1)
		return fixture.Action{Status: int(status), ContentType: "application/json", Body: fmt.Sprintf(
			`{"state": "ERROR", "code": %d, "message_list": [{"message": "%s", "reason": "INTERNAL_ERROR"}]}`, status, http.StatusText(int(status)))}
	})
	return p
}

// fail makes the proxy respond to all v3 requests with the status. If the status is zero, the proxy forwards requests
// again.
func (p *proxy) fail(status int) {
	p.hits.Store(0)
	p.status.Store(int64(status))
}

// insert sets the proxy's address and certificate in the NutanixCluster of a manifest.
func (p *proxy) insert(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	host, port := p.Address()
	leadTo(t, objects, host, port, p.TrustBundle)
}

// leadTo sets the address, port and trust bundle of Prism Central in the NutanixCluster of a manifest.
func leadTo(t *testing.T, objects []*unstructured.Unstructured, host string, port int, trustBundle []byte) {
	t.Helper()
	for _, object := range objects {
		if object.GetKind() != "NutanixCluster" {
			continue
		}
		for field, value := range map[string]any{
			"address": host, "port": int64(port), "additionalTrustBundle": map[string]any{"kind": "String", "data": string(trustBundle)},
		} {
			require.NoError(t, unstructured.SetNestedField(object.Object, value, "spec", "prismCentral", field))
		}
	}
}
