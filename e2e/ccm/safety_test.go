package ccm

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/ccm/world"
)

const (
	page404   = "<html><head><title>404 Not Found</title></head><body><center><h1>404 Not Found</h1></center><hr><center>nginx</center></body></html>"
	loginPage = "<html><body><form action=\"/login\"><input name=\"user\"></form></body></html>"
	// noVMs is a list of virtual machines without any, complete by its own account.
	noVMs = `{"data":[],"metadata":{"totalAvailableResults":0,"$objectType":"common.v1.response.ApiResponseMetadata"},` +
		`"$objectType":"vmm.v4.ahv.config.ListVmsApiResponse"}`
	// oneOfMany is a list that says itself that there is more, and no more comes.
	oneOfMany = `{"metadata":{"totalAvailableResults":7,"$objectType":"common.v1.response.ApiResponseMetadata"},` +
		`"$objectType":"vmm.v4.ahv.config.ListVmsApiResponse"}`
)

// TestWrongAnswersLoseNoNode: two Nodes are not ready. One machine exists, one was deleted. While answers are wrong, neither
// Node is lost; as soon as they are right, the one of the deleted machine goes: it was asked for all the time. See
// TestFiveMinutesOf404LoseNoNode for how it is with the periods that are deployed.
func TestWrongAnswersLoseNoNode(t *testing.T) {
	t.Parallel()
	answer := func(status int, contentType, body string) world.Rule {
		return func(*http.Request) world.Verdict {
			return world.Verdict{Status: status, ContentType: contentType, Body: body}
		}
	}
	lists := func(body string) world.Rule {
		return func(r *http.Request) world.Verdict {
			if strings.HasSuffix(r.URL.Path, "/ahv/config/vms") {
				return world.Verdict{Status: http.StatusOK, ContentType: "application/json", Body: body}
			}
			// What one machine is asked for by its identifier is not answered at all meanwhile.
			return world.Verdict{Status: http.StatusServiceUnavailable, ContentType: "text/plain", Body: "upstream is down"}
		}
	}
	cases := map[string]world.Rule{
		"a proxy's 404 page":              answer(http.StatusNotFound, "text/html", page404),
		"a 404 without a body":            answer(http.StatusNotFound, "", ""),
		"a gateway's 404 in JSON":         answer(http.StatusNotFound, "application/json", `{"message":"no Route matched with those values"}`),
		"a login page":                    answer(http.StatusOK, "text/html", loginPage),
		"an empty object":                 answer(http.StatusOK, "application/json", `{}`),
		"no answer":                       answer(http.StatusServiceUnavailable, "text/plain", "upstream is down"),
		"too many requests":               answer(http.StatusTooManyRequests, "application/json", `{}`),
		"credentials refused":             answer(http.StatusUnauthorized, "application/json", `{}`),
		"half answers":                    func(*http.Request) world.Verdict { return world.Verdict{Half: true} },
		"empty lists":                     lists(noVMs),
		"lists that lack what they count": lists(oneOfMany),
	}
	for name, rule := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world.New(t, site, world.Options{})
			gone, _ := w.Join("gone"), w.Join("there")
			w.Proxy.Judge(rule)
			require.NoError(t, w.Prism.DeleteVM(gone.UUID))
			w.SetReady("gone", false)
			w.SetReady("there", false)
			asked := w.Proxy.Seen()
			w.Until("the manager to ask", func() string { return missing(w.Proxy.Seen() > asked, "it has not") })
			w.NodesStay(10, "gone", "there")

			w.Proxy.Judge(nil)
			w.NodeGone("gone")
			assert.Equal(t, []string{"there"}, w.NodeNames())
		})
	}
}

// TestOnlyPrismCentralsOwnWordCounts: every list is sound and lacks one machine, as for a user who may not see it. What says
// that there is no such machine is a proxy, and the Node stays. When Prism Central says it, the Node goes.
func TestOnlyPrismCentralsOwnWordCounts(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	hidden, _ := w.Join("hidden"), w.Join("there")
	notFound := w.NotFoundAnswer()
	hide := func(contentType, body string) world.Rule {
		return func(r *http.Request) world.Verdict {
			if strings.HasSuffix(r.URL.Path, "/vms/"+hidden.UUID) {
				return world.Verdict{Status: http.StatusNotFound, ContentType: contentType, Body: body}
			}
			return world.Verdict{Hide: hidden.UUID}
		}
	}
	w.Proxy.Judge(hide("text/html", page404))
	w.SetReady("hidden", false)
	asked := w.Proxy.Seen()
	w.Until("the manager to ask", func() string { return missing(w.Proxy.Seen() > asked, "it has not") })
	w.NodesStay(20, "hidden", "there")
	w.Proxy.Judge(hide("application/json", notFound))
	w.NodeGone("hidden")
}

// TestOneNotFoundIsNotBelieved: every list is sound and lacks one machine, and Prism Central says in its own words that there is
// none, but not twice running, as one that is being restored from a backup may.
func TestOneNotFoundIsNotBelieved(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	hidden, _ := w.Join("hidden"), w.Join("there")
	notFound := w.NotFoundAnswer()
	var asked atomic.Int64
	w.Proxy.Judge(func(r *http.Request) world.Verdict {
		switch {
		case !strings.HasSuffix(r.URL.Path, "/vms/"+hidden.UUID):
			return world.Verdict{Hide: hidden.UUID}
		case asked.Add(1)%2 == 0:
			return world.Pass
		}
		return world.Verdict{Status: http.StatusNotFound, ContentType: "application/json", Body: notFound}
	})
	w.SetReady("hidden", false)
	// So often that its absence could have been believed.
	w.Until("the machine to be asked for", func() string { return missing(asked.Load() > 2, "it was not often enough") })
	w.NodesStay(20, "hidden", "there")
	w.Proxy.Judge(nil)
}
