package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

const (
	// maxUpdateBytes limits the body of a VM update, and the response with the current VM.
	maxUpdateBytes = 8 << 20
	powerOn        = "ON"
)

// powerTransport enforces the mode KeepPower: no request of the child switches a VM on or off or deletes a VM.
//
// Of the requests that change a VM, it forwards only these:
//
//   - a create, and the v4 action that switches on a VM that the same session has created or that Session.AllowPowerOn names
//   - a v3 update that sets the power state to ON, if the VM is ON
//   - a v4 update with If-Match that contains the current power state
//   - the v4 actions that add or remove categories
//
// For an update, powerTransport reads the current power state from Prism Central. It cannot rely on the power state in the update,
// because a provider may send a state that it has read earlier, and provider 1.9.5 sends ON with every update.
//
// powerTransport rejects all other requests that change a VM, including unknown ones and the v4 requests for the NICs and disks of a VM.
type powerTransport struct {
	next http.RoundTripper
	mode func() Mode
	// mayPowerOn reports whether the session may switch on a VM through the v4 API.
	mayPowerOn func(uuid string) bool
}

func (t *powerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.mode() == ReadWrite || !changesVM(req) || t.isAllowed(req) {
		return t.next.RoundTrip(req)
	}
	api := updateAPIOf(req)
	if api == nil {
		return nil, refusePower(req, "", "only updates that leave the virtual machine switched on are allowed")
	}
	body, err := readBody(req, maxUpdateBytes)
	if err != nil {
		return nil, fmt.Errorf("reading the update of a VM: %w", err)
	}
	if err := t.check(req, api, body); err != nil {
		return nil, err
	}
	update := req.Clone(req.Context())
	setBody(update, body)
	return t.next.RoundTrip(update)
}

// isAllowed reports whether a request that changes a VM is allowed, whatever its body and the power state of the VM are.
func (t *powerTransport) isAllowed(req *http.Request) bool {
	path := req.URL.EscapedPath()
	if createAPIOf(req) != nil || v4CategoryAction.MatchString(path) {
		return true
	}
	powerOn := v4PowerOn.FindStringSubmatch(path)
	return powerOn != nil && req.Method == http.MethodPost && t.mayPowerOn(powerOn[1])
}

// check returns an *apiError unless the update leaves the power state as it is.
func (t *powerTransport) check(req *http.Request, api updateAPI, body []byte) error {
	name, wanted, err := api.update(body)
	if err != nil {
		return refusePower(req, name, "its power state cannot be read from the update: "+err.Error())
	}
	if why := api.refuse(req, wanted); why != "" {
		return refusePower(req, name, why)
	}
	current, err := t.current(req, api)
	switch {
	case err != nil:
		return err
	case current != wanted && wanted == powerOn:
		return refusePower(req, name, "the update would switch it on, and its power state is "+current)
	case current != wanted:
		return refusePower(req, name, "the update would set its power state to "+wanted+", and its power state is "+current)
	}
	return nil
}

// current reads the VM that req updates and returns its power state.
func (t *powerTransport) current(req *http.Request, api updateAPI) (string, error) {
	body, status, err := read(req.Context(), t.next, req.URL)
	if err != nil {
		return "", fmt.Errorf("reading the power state of the VM: %w", err)
	}
	if status == http.StatusOK {
		state, err := api.current(body)
		if err == nil && state != "" {
			return state, nil
		}
		status = http.StatusBadGateway
	}
	return "", &apiError{status: status, reason: ReasonPowerState, message: fmt.Sprintf(
		"%s %s was not sent: Prism Central did not report the power state of the virtual machine", req.Method, req.URL.Path)}
}

// read sends a GET request of the gateway itself and returns the body and the status of the response.
func read(ctx context.Context, next http.RoundTripper, url *url.URL) ([]byte, int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url.String(), nil) //nolint:gosec // the transport sends it to the session's Prism Central
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := next.RoundTrip(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxUpdateBytes))
	return body, resp.StatusCode, err
}

// refusePower returns the error response for a request that is not forwarded. why is the reason in its message.
func refusePower(req *http.Request, name, why string) *apiError {
	vm := "the virtual machine of the request"
	if name != "" {
		vm = fmt.Sprintf("virtual machine %q", name)
	}
	return &apiError{status: http.StatusConflict, reason: ReasonPowerState, message: fmt.Sprintf(
		"%s %s was not sent: this run must neither switch a virtual machine on or off nor delete it; %s: %s", req.Method, req.URL.Path, vm, why)}
}

// changesVM reports whether a request could change a VM through any API. The path of every v2, v3 and v4 request for a VM contains the
// segment "vms". The body of a v3 batch request can contain such requests.
func changesVM(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	if req.Method == http.MethodPost && req.URL.EscapedPath() == v3CreatePath+"/list" {
		return false
	}
	for segment := range strings.SplitSeq(req.URL.Path, "/") {
		if strings.EqualFold(segment, "vms") || strings.EqualFold(segment, "batch") {
			return true
		}
	}
	return false
}

var (
	v3UpdatePath     = regexp.MustCompile(`^/api/nutanix/v3/vms/[0-9A-Za-z-]+$`)
	v4UpdatePath     = regexp.MustCompile(`^/api/vmm/v4\.[0-9a-z.]+/ahv/config/vms/[0-9A-Za-z-]+$`)
	v4PowerOn        = regexp.MustCompile(`^/api/vmm/v4\.[0-9a-z.]+/ahv/config/vms/([0-9A-Za-z-]+)/\$actions/power-on$`)
	v4CategoryAction = regexp.MustCompile(`^/api/vmm/v4\.[0-9a-z.]+/ahv/config/vms/[0-9A-Za-z-]+/\$actions/(dis)?associate-categories$`)
)
