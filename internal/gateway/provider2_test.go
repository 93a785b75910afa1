package gateway

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/toolbox"
)

// eachV4Provider calls test for each provider that was built and has resources of the v4 API.
func eachV4Provider(t *testing.T, test func(t *testing.T, provider toolbox.Provider)) {
	t.Helper()
	for _, provider := range toolbox.V4Providers(t) {
		t.Run(provider.String(), func(t *testing.T) { test(t, provider) })
	}
}

// v4Config returns a configuration with a provider.
func v4Config(provider toolbox.Provider, resources string) string {
	return fmt.Sprintf(`
terraform {
  required_providers {
    nutanix = {
      source  = "registry.terraform.io/nutanix/nutanix"
      version = %q
    }
  }
}

provider "nutanix" {}
`, provider.Version) + resources
}

// readsVM is a configuration whose plan reads a VM.
const readsVM = `
resource "nutanix_virtual_machine_v2" "vm" { name = "m-1" }

import {
  to = nutanix_virtual_machine_v2.vm
  id = "11111111-2222-3333-4444-555555555555"
}
`

// v4Central returns a central that responds to all requests of the v4 API with fault, except to requests for a version and to the requests
// in replies.
func v4Central(t *testing.T, fault http.HandlerFunc, replies map[string]string) *central {
	t.Helper()
	return newCentral(t, func(w http.ResponseWriter, req *http.Request) {
		reply, found := replies[req.Method+" "+req.URL.Path]
		switch {
		case req.Method == http.MethodOptions:
			page(http.StatusOK, "application/json", `{"$reserved":{"$fv":"v4.r0"},"data":"v4.2"}`)(w, req)
		case found:
			page(http.StatusAccepted, "application/json", reply)(w, req)
		default:
			fault(w, req)
		}
	})
}

// directly returns the environment of a run without a gateway. Provider 2.4 does not verify the certificate of v4 requests.
func (c *central) directly(t *testing.T) map[string]string {
	t.Helper()
	host, port, err := net.SplitHostPort(c.Listener.Addr().String())
	require.NoError(t, err)
	return map[string]string{"NUTANIX_ENDPOINT": host, "NUTANIX_PORT": port, "NUTANIX_USERNAME": "admin", "NUTANIX_PASSWORD": "pw"}
}

var frames = regexp.MustCompile(`[╷│╵]`)

// errorsOf returns the errors in an output of terraform on one line.
func errorsOf(output string) string {
	text := strings.Join(strings.Fields(frames.ReplaceAllString(output, "")), " ")
	return text[max(strings.Index(text, "Error: "), 0):]
}

// TestProvider2ReportsV4Errors shows what provider 2.4 and its stand-in report with and without the gateway if Prism Central responds
// with an error.
func TestProvider2ReportsV4Errors(t *testing.T) {
	// The provider prints the message of an error response to a read, and never that of an error response to a create.
	const (
		createsVM  = `resource "nutanix_virtual_machine_v2" "vm" { name = "m-1" }`
		html       = "<html><body><h1>blocked by the proxy</h1></body></html>"
		rejected   = `{"data":{"$objectType":"vmm.v4.error.ErrorResponse","error":[{"message":"no such cluster","errorGroup":"VM_INVALID_ARGUMENT"}]}}`
		failedTask = `{"data":{"$objectType":"prism.v4.config.Task","extId":"` + v4TaskID + `","status":"FAILED","progressPercentage":100}}`
		crashed    = "panic: "
	)
	created := map[string]string{"POST " + v4CreateURL: v4CreateReply}
	redirect := func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, "https://"+req.Host+"/elsewhere", http.StatusFound)
	}
	eachV4Provider(t, func(t *testing.T, provider toolbox.Provider) {
		workspace := newWorkspaceWith(t, provider, v4Config(provider, ""))
		gateway := start(t)
		for name, test := range map[string]struct {
			config  string
			fault   http.HandlerFunc
			replies map[string]string
			// without and through are parts of the errors without and through the gateway.
			without, through string
			// failure is a part of the message that the gateway keeps.
			failure string
		}{
			"read, page of a proxy": {readsVM, page(http.StatusForbidden, "text/html", html), nil,
				crashed, "status 403 Forbidden and is not JSON: blocked by the proxy", "blocked by the proxy"},
			"read, text": {readsVM, page(http.StatusForbidden, "text/plain", "blocked"), nil,
				"error while fetching vm : blocked", "status 403 Forbidden and is not JSON: blocked", "blocked"},
			"read, page instead of a VM": {readsVM, page(http.StatusOK, "text/html", html), nil,
				crashed, "status 200 OK and is not JSON: blocked by the proxy", "blocked by the proxy"},
			"read, redirect": {readsVM, redirect, nil, "error while fetching vm : <a href", "is a redirect (status 302 Found)", "redirect"},
			"create, page of a proxy": {createsVM, page(http.StatusForbidden, "text/html", html), nil,
				crashed, "error while creating Virtual Machines : <nil>", "blocked by the proxy"},
			"create, text": {createsVM, page(http.StatusForbidden, "text/plain", "blocked"), nil,
				"invalid character 'b' looking for beginning of value", "error while creating Virtual Machines : <nil>", "is not JSON: blocked"},
			"create, rejected": {createsVM, page(http.StatusUnprocessableEntity, "application/json", rejected), nil,
				"error while creating Virtual Machines : <nil>", "error while creating Virtual Machines : <nil>", "no such cluster"},
			"failed task without message": {createsVM, page(http.StatusOK, "application/json", failedTask), created,
				crashed, "error_detail: Prism Central reports no error message for this task", noTaskMessage},
		} {
			t.Run(name, func(t *testing.T) {
				central := v4Central(t, test.fault, test.replies)
				workspace.write(t, "main.tf", v4Config(provider, test.config))
				output, err := workspace.runWith(t, central.directly(t), "apply", "-auto-approve", "-input=false", "-no-color")
				require.Error(t, err, output)
				assert.Contains(t, errorsOf(output), test.without, "without the gateway")
				run := open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite, Creates: &recorder{}})
				output, err = workspace.run(t, run, "apply", "-auto-approve", "-input=false", "-no-color")
				require.Error(t, err, output)
				assert.Contains(t, errorsOf(output), test.through, "through the gateway")
				require.NotEmpty(t, run.Failures())
				assert.Contains(t, run.Failures()[len(run.Failures())-1].Message, test.failure)
				assert.NotContains(t, output, "panic")
			})
		}
	})
}

// TestProvider2CreateIsSentOnce proves with provider 2.4 or its stand-in that a create that got status 503 is sent once, although the
// provider repeats it, and that its outcome is unknown.
func TestProvider2CreateIsSentOnce(t *testing.T) {
	eachV4Provider(t, func(t *testing.T, provider toolbox.Provider) {
		workspace := newWorkspaceWith(t, provider, v4Config(provider, `resource "nutanix_virtual_machine_v2" "vm" { name = "m-1" }`))
		central := v4Central(t, page(http.StatusServiceUnavailable, "text/plain", "busy"), nil)
		output, err := workspace.runWith(t, central.directly(t), "apply", "-auto-approve", "-input=false", "-no-color")
		require.Error(t, err, output)
		assert.Len(t, central.sent(http.MethodPost), 6, "without the gateway")

		central = v4Central(t, page(http.StatusServiceUnavailable, "text/plain", "busy"), nil)
		creates := &recorder{requestID: "0d5c7f5e-0000-5000-8000-000000000001"}
		run := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite, Creates: creates})
		output, err = workspace.run(t, run, "apply", "-auto-approve", "-input=false", "-no-color")
		require.Error(t, err, output)
		require.Len(t, central.sent(http.MethodPost), 1)
		assert.Equal(t, creates.requestID, central.sent(http.MethodPost)[0].header.Get(requestIDHeader))
		assert.Equal(t, []string{v4SendingVM}, creates.recorded())
	})
}

// TestProvider2VerifiesNoCertificate proves that provider 2.4, like its stand-in, sends credentials to a server with any certificate, and
// that the gateway does not.
func TestProvider2VerifiesNoCertificate(t *testing.T) {
	eachV4Provider(t, func(t *testing.T, provider toolbox.Provider) {
		workspace := newWorkspaceWith(t, provider, v4Config(provider, readsVM))
		central := newCentral(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{}`)
		})
		output, err := workspace.runWith(t, central.directly(t), "plan", "-input=false", "-no-color")
		require.Error(t, err, output)
		sent := len(central.seen())
		assert.Positive(t, sent, "without the gateway")
		upstream := central.upstream("admin", "pw")
		upstream.CABundle = nil
		output, err = workspace.run(t, open(t, start(t), RunOptions{Upstream: upstream}), "plan", "-input=false", "-no-color")
		require.Error(t, err, output)
		assert.Contains(t, output, ReasonCertificate)
		assert.Len(t, central.seen(), sent)
	})
}
