package scenario

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	ccmworld "github.com/capnt/capnt/e2e/ccm/world"
)

// proxy stands between the manager and Prism Central for one cluster, so that what goes wrong does so for that cluster alone.
type proxy struct {
	*ccmworld.Proxy
	status, hits atomic.Int64
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	made, err := ccmworld.NewProxy(world.Prism.URL(), world.Prism.CABundle())
	require.NoError(t, err)
	t.Cleanup(made.Close)
	p := &proxy{Proxy: made}
	made.Judge(func(r *http.Request) ccmworld.Verdict {
		status := p.status.Load()
		if status == 0 || !strings.HasPrefix(r.URL.Path, "/api/nutanix/v3/") {
			return ccmworld.Pass
		}
		p.hits.Add(1)
		return ccmworld.Verdict{Status: int(status), ContentType: "application/json", Body: fmt.Sprintf(
			`{"state": "ERROR", "code": %d, "message_list": [{"message": "%s", "reason": "INTERNAL_ERROR"}]}`, status, http.StatusText(int(status)))}
	})
	return p
}

// fail lets all requests have this status for an answer from now on; 0 ends it.
func (p *proxy) fail(status int) {
	p.hits.Store(0)
	p.status.Store(int64(status))
}

// putBefore makes the NutanixCluster of a manifest ask the proxy.
func (p *proxy) putBefore(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	host, port := p.Address()
	for _, object := range objects {
		if object.GetKind() != "NutanixCluster" {
			continue
		}
		for field, value := range map[string]any{
			"address": host, "port": int64(port), "additionalTrustBundle": map[string]any{"kind": "String", "data": string(p.TrustBundle)},
		} {
			require.NoError(t, unstructured.SetNestedField(object.Object, value, "spec", "prismCentral", field))
		}
	}
}
