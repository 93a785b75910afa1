package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
)

func TestRequestsOfARunAreCountedByAPIAndClass(t *testing.T) {
	central := newCentral(t, ok)
	registry := prometheus.NewRegistry()
	gateway := start(t, func(options *Options) { options.Registerer = registry })
	run := open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadOnly})
	child := childOf(t, run)
	for _, request := range []struct{ method, path string }{
		{http.MethodGet, v4VM}, {http.MethodOptions, "/api/vmm/unversioned/info"}, {http.MethodPost, v4CreateURL},
		{http.MethodPost, v3CreatePath + "/list"}, {http.MethodGet, "/api/fc/v1/users/me"},
	} {
		child.do(t, request.method, request.path, "")
	}
	assert.Equal(t, 5, run.Calls(), "requests that are not forwarded are counted, too")
	open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw")}).Close()
	run.Close()
	run.Close()
	assert.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP capnt_gateway_run_requests Requests of one Terraform run, by generation of the API (v3, v4 or other) and class (read or write). A run without such requests is not counted.
# TYPE capnt_gateway_run_requests histogram
`+series("other", "read", "1")+series("v3", "read", "1")+series("v4", "read", "2")+series("v4", "write", "1")), "capnt_gateway_run_requests"))
}

// series returns the histogram of one run with sum requests.
func series(api, class, sum string) string {
	var text strings.Builder
	labels := `{api="` + api + `",class="` + class + `"`
	for _, bound := range []string{"1", "2", "5", "10", "20", "50", "100", "200", "500", "+Inf"} {
		count := "1"
		if bound == "1" && sum != "1" {
			count = "0"
		}
		text.WriteString("capnt_gateway_run_requests_bucket" + labels + `,le="` + bound + `"} ` + count + "\n")
	}
	text.WriteString("capnt_gateway_run_requests_sum" + labels + "} " + sum + "\n")
	text.WriteString("capnt_gateway_run_requests_count" + labels + "} 1\n")
	return text.String()
}
