package ccm

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/ccm/fixture"
)

const (
	page404   = "<html><head><title>404 Not Found</title></head><body><center><h1>404 Not Found</h1></center><hr><center>nginx</center></body></html>"
	loginPage = "<html><body><form action=\"/login\"><input name=\"user\"></form></body></html>"
	// emptyList is a complete list without VMs.
	emptyList = `{"data":[],"metadata":{"totalAvailableResults":0,"$objectType":"common.v1.response.ApiResponseMetadata"},` +
		`"$objectType":"vmm.v4.ahv.config.ListVmsApiResponse"}`
	// incompleteList reports a total of seven VMs but contains none.
	incompleteList = `{"metadata":{"totalAvailableResults":7,"$objectType":"common.v1.response.ApiResponseMetadata"},` +
		`"$objectType":"vmm.v4.ahv.config.ListVmsApiResponse"}`
)

// Two Nodes are not ready, and the VM of one of them was deleted. While Prism Central's responses are invalid, the
// manager keeps checking but deletes neither Node. Once the responses are valid, the manager deletes the Node without a
// VM. TestNoNodeIsDeletedDuringFiveMinutesOf404 runs a similar case with the periods of the Deployment.
func TestInvalidResponsesDeleteNoNode(t *testing.T) {
	t.Parallel()
	answer := func(status int, contentType, body string) fixture.Rule {
		return func(*http.Request) fixture.Action {
			return fixture.Action{Status: status, ContentType: contentType, Body: body}
		}
	}
	lists := func(body string) fixture.Rule {
		return func(r *http.Request) fixture.Action {
			if strings.HasSuffix(r.URL.Path, "/ahv/config/vms") {
				return fixture.Action{Status: http.StatusOK, ContentType: "application/json", Body: body}
			}
			// Requests for a single VM fail.
			return fixture.Action{Status: http.StatusServiceUnavailable, ContentType: "text/plain", Body: "upstream is down"}
		}
	}
	cases := map[string]fixture.Rule{
		"a proxy's 404 page":              answer(http.StatusNotFound, "text/html", page404),
		"a 404 without a body":            answer(http.StatusNotFound, "", ""),
		"a gateway's 404 in JSON":         answer(http.StatusNotFound, "application/json", `{"message":"no Route matched with those values"}`),
		"a login page":                    answer(http.StatusOK, "text/html", loginPage),
		"an empty object":                 answer(http.StatusOK, "application/json", `{}`),
		"no response":                     answer(http.StatusServiceUnavailable, "text/plain", "upstream is down"),
		"too many requests":               answer(http.StatusTooManyRequests, "application/json", `{}`),
		"credentials refused":             answer(http.StatusUnauthorized, "application/json", `{}`),
		"truncated responses":             func(*http.Request) fixture.Action { return fixture.Action{Truncate: true} },
		"empty lists":                     lists(emptyList),
		"lists that lack what they count": lists(incompleteList),
	}
	for name, rule := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fixture.New(t, suite, fixture.Options{})
			gone, _ := f.Join("gone"), f.Join("there")
			f.Proxy.SetRule(rule)
			require.NoError(t, f.Prism.DeleteVM(gone.UUID))
			f.SetReady("gone", false)
			f.SetReady("there", false)
			asked := f.Proxy.RequestCount()
			f.WaitFor("the manager to send a request", func() string { return missing(f.Proxy.RequestCount() > asked, "no request yet") })
			f.RequireNodesStay(10, "gone", "there")

			f.Proxy.SetRule(nil)
			f.WaitForNodeDeleted("gone")
			assert.Equal(t, []string{"there"}, f.NodeNames())
		})
	}
}

// A complete list without a VM does not prove that the VM is absent, because the account may lack the permission to see
// the VM. A 404 from a proxy does not prove it either. The manager deletes the Node only after a 404 from Prism
// Central.
func TestNodeIsDeletedOnlyAfterNotFoundFromPrismCentral(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	hidden, _ := f.Join("hidden"), f.Join("there")
	notFound := f.NotFoundResponse()
	hide := func(contentType, body string) fixture.Rule {
		return func(r *http.Request) fixture.Action {
			if strings.HasSuffix(r.URL.Path, "/vms/"+hidden.UUID) {
				return fixture.Action{Status: http.StatusNotFound, ContentType: contentType, Body: body}
			}
			return fixture.Action{Hide: hidden.UUID}
		}
	}
	f.Proxy.SetRule(hide("text/html", page404))
	f.SetReady("hidden", false)
	asked := f.Proxy.RequestCount()
	f.WaitFor("the manager to send a request", func() string { return missing(f.Proxy.RequestCount() > asked, "no request yet") })
	f.RequireNodesStay(20, "hidden", "there")
	f.Proxy.SetRule(hide("application/json", notFound))
	f.WaitForNodeDeleted("hidden")
}

// Complete lists do not contain a VM, and every second response to a request for the VM is a 404 from Prism Central. A
// Prism Central that is being restored from a backup may respond like this, so the Node must not be deleted.
func TestSingleNotFoundDeletesNoNode(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	hidden, _ := f.Join("hidden"), f.Join("there")
	notFound := f.NotFoundResponse()
	var asked atomic.Int64
	f.Proxy.SetRule(func(r *http.Request) fixture.Action {
		switch {
		case !strings.HasSuffix(r.URL.Path, "/vms/"+hidden.UUID):
			return fixture.Action{Hide: hidden.UUID}
		case asked.Add(1)%4 != 1:
			// Another controller may request the VM between a 404 and the request that confirms it. So more than every
			// second request succeeds.
			return fixture.Forward
		}
		return fixture.Action{Status: http.StatusNotFound, ContentType: "application/json", Body: notFound}
	})
	f.SetReady("hidden", false)
	// Two consecutive 404s would prove that the VM is absent. The test therefore waits until the manager has sent more
	// than two requests.
	f.WaitFor("the VM to be requested three times", func() string { return missing(asked.Load() > 2, "too few requests") })
	f.RequireNodesStay(20, "hidden", "there")
	f.Proxy.SetRule(nil)
}
