package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	v3VM = "/api/nutanix/v3/vms/11111111-2222-3333-4444-555555555555"
	v4VM = "/api/vmm/v4.2/ahv/config/vms/11111111-2222-3333-4444-555555555555"
)

// centralWithVM returns a central whose VM has the given power state. It responds to a GET of the VM in the format of the API version,
// and accepts all other requests.
func centralWithVM(t *testing.T, power string) *central {
	t.Helper()
	return newCentral(t, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case req.Method != http.MethodGet:
			accept(w, req)
		case strings.HasPrefix(req.URL.Path, "/api/vmm/"):
			_, _ = fmt.Fprintf(w, `{"data":{"powerState":%q}}`, power)
		default:
			// The spec contains the power state that the last update set, and the status contains the current power state.
			_, _ = fmt.Fprintf(w, `{"spec":{"resources":{"power_state":"ON"}},"status":{"resources":{"power_state":%q}}}`, power)
		}
	})
}

func v3Body(power string) string {
	return fmt.Sprintf(`{"metadata":{"spec_version":3},"spec":{"name":"m-1","description":"x","resources":{"power_state":%q}}}`, power)
}

func v4Body(power string) string {
	return fmt.Sprintf(`{"name":"m-1","powerState":%q}`, power)
}

func TestKeepPowerForwardsOnlyUpdatesToON(t *testing.T) {
	const (
		put, post, del = http.MethodPut, http.MethodPost, http.MethodDelete
		v3Name         = "/api/nutanix/v3/categories/AppType/Default"
	)
	for _, test := range []struct {
		name, method, path, body, power string
		forwarded                       bool
		message                         string
	}{
		{"update of a VM that is on", put, v3VM, v3Body("ON"), "ON", true, ""},
		{"update of a VM that is off", put, v3VM, v3Body("ON"), "OFF", false, `virtual machine "m-1": the update would switch it on, and its power state is OFF`},
		{"update of a VM that is suspended", put, v3VM, v3Body("ON"), "SUSPENDED", false, "its power state is SUSPENDED"},
		{"update that switches off", put, v3VM, v3Body("OFF"), "ON", false, "the update would set its power state to OFF"},
		{"update that keeps a VM off", put, v3VM, v3Body("OFF"), "OFF", false, "the update would set its power state to OFF"},
		{"update that pauses", put, v3VM, v3Body("PAUSED"), "ON", false, "the update would set its power state to PAUSED"},
		{"update without a power state", put, v3VM, `{"spec":{"resources":{}}}`, "ON", false, "does not say that the virtual machine stays switched on"},
		{"update with another type", put, v3VM, `{"spec":{"resources":{"power_state":1}}}`, "ON", false, "cannot be read from the update"},
		{"update that is not JSON", put, v3VM, `x`, "ON", false, "cannot be read from the update"},
		{"delete", del, v3VM, "", "ON", false, "only updates that leave the virtual machine switched on are allowed"},
		{"patch", http.MethodPatch, v3VM, v3Body("ON"), "ON", false, "only updates"},
		{"clone", post, v3VM + "/clone", "{}", "ON", false, "only updates"},
		{"update with a path to resolve", put, "/api/nutanix/v3/vms/../vms/1", v3Body("ON"), "ON", false, "only updates"},
		{"update with an escaped path", put, "/api/nutanix/v3/vms%2F1", v3Body("ON"), "ON", false, "only updates"},
		{"batch", post, "/api/nutanix/v3/batch", "{}", "ON", false, "only updates"},
		{"v2 power state", post, "/PrismGateway/services/rest/v2.0/vms/1/set_power_state", "{}", "ON", false, "only updates"},
		{"v4 update of a VM that is on", put, v4VM, v4Body("ON"), "ON", true, ""},
		{"v4 update of a VM that is off", put, v4VM, v4Body("ON"), "OFF", false, `virtual machine "m-1": the update would switch it on, and its power state is OFF`},
		{"v4 update that switches off", put, v4VM, v4Body("OFF"), "ON", false, "the update would set its power state to OFF, and its power state is ON"},
		{"v4 update that keeps a VM off", put, v4VM, v4Body("OFF"), "OFF", true, ""},
		{"v4 update that pauses", put, v4VM, v4Body("PAUSED"), "ON", false, "the update would set its power state to PAUSED"},
		{"v4 update without a power state", put, v4VM, `{"name":"m-1"}`, "ON", false, "does not say that the virtual machine stays switched on"},
		{"v4 update that is not JSON", put, v4VM, "x", "ON", false, "cannot be read from the update"},
		{"v4 patch", http.MethodPatch, v4VM, v4Body("ON"), "ON", false, "only updates"},
		{"v4 delete", del, v4VM, "", "ON", false, "only updates"},
		{"v4 categories", post, v4VM + "/$actions/associate-categories", "{}", "OFF", true, ""},
		{"v4 categories removed", post, v4VM + "/$actions/disassociate-categories", "{}", "OFF", true, ""},
		{"v4 power-on", post, v4VM + "/$actions/power-on", "", "ON", false, "only updates"},
		{"v4 power-off", post, v4VM + "/$actions/power-off", "", "ON", false, "only updates"},
		{"v4 power-cycle", post, v4VM + "/$actions/power-cycle", "", "ON", false, "only updates"},
		{"v4 reset", post, v4VM + "/$actions/reset", "", "ON", false, "only updates"},
		{"v4 shutdown", post, v4VM + "/$actions/shutdown", "", "ON", false, "only updates"},
		{"v4 guest-shutdown", post, v4VM + "/$actions/guest-shutdown", "", "ON", false, "only updates"},
		{"v4 reboot", post, v4VM + "/$actions/reboot", "", "ON", false, "only updates"},
		{"v4 guest-reboot", post, v4VM + "/$actions/guest-reboot", "", "ON", false, "only updates"},
		{"v4 unknown action", post, v4VM + "/$actions/something-new", "", "ON", false, "only updates"},
		{"v4 migration", post, v4VM + "/$actions/migrate", "{}", "ON", false, "only updates"},
		{"v4 clone", post, v4VM + "/$actions/clone", "{}", "ON", false, "only updates"},
		{"v4 disk", del, v4VM + "/disks/1", "", "ON", false, "only updates"},
		{"v4 disk that grows", put, v4VM + "/disks/1", "{}", "ON", false, "only updates"},
		{"v4 new disk", post, v4VM + "/disks", "{}", "ON", false, "only updates"},
		{"v4 NIC", del, v4VM + "/nics/1", "", "ON", false, "only updates"},
		{"v4 new NIC", post, v4VM + "/nics", "{}", "ON", false, "only updates"},
		{"v4 changed NIC", put, v4VM + "/nics/1", "{}", "ON", false, "only updates"},
		{"v4 CD-ROM", del, v4VM + "/cd-roms/1", "", "ON", false, "only updates"},
		{"v4 GPU", post, v4VM + "/gpus", "{}", "ON", false, "only updates"},
		{"v4 serial port", post, v4VM + "/serial-ports", "{}", "ON", false, "only updates"},
		{"v4 anti-affinity policy", post, "/api/vmm/v4.2/ahv/policies/vm-anti-affinity-policies", "{}", "OFF", true, ""},
		{"v4 category", post, "/api/prism/v4.2/config/categories", "{}", "OFF", true, ""},
		{"create", post, v3CreatePath, createRequest, "ON", true, ""},
		{"v4 create", post, v4CreateURL, v4CreateRequest, "ON", true, ""},
		{"list", post, v3CreatePath + "/list", "{}", "OFF", true, ""},
		{"read", http.MethodGet, v3VM, "", "OFF", true, ""},
		{"category", put, v3Name, `{"value":"Default"}`, "OFF", true, ""},
		{"category removed", del, v3Name, "", "OFF", true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			central := centralWithVM(t, test.power)
			gateway := start(t)
			session := open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw"), Mode: KeepPower})
			child := childOf(t, session)
			child.ifMatch = "etag"
			status, body := child.do(t, test.method, test.path, test.body)
			sent := central.sent(test.method)
			if test.forwarded {
				assert.Less(t, status, 300, body)
				require.Len(t, sent, 1)
				assert.Equal(t, test.body, sent[0].body, "the body is unchanged")
				return
			}
			assert.Equal(t, http.StatusConflict, status)
			assert.Equal(t, ReasonPowerState, reasonOf(t, body))
			assert.Contains(t, strings.ReplaceAll(body, `\"`, `"`), test.message)
			assert.Contains(t, body, "neither switch a virtual machine on or off nor delete it")
			assert.Empty(t, sent, "the request reached Prism Central")
			assert.InDelta(t, 1, testutil.ToFloat64(gateway.metrics.refusals.WithLabelValues(ReasonPowerState)), 0)
		})
	}
}

func TestKeepPowerRequiresIfMatchOfV4Updates(t *testing.T) {
	for _, match := range []string{"", "*"} {
		central := centralWithVM(t, "ON")
		child := childOf(t, open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: KeepPower}))
		child.ifMatch = match
		status, body := child.do(t, http.MethodPut, v4VM, v4Body("ON"))
		assert.Equal(t, http.StatusConflict, status)
		assert.Equal(t, ReasonPowerState, reasonOf(t, body))
		assert.Contains(t, v4ErrorOf(t, body).Message, "the update has no If-Match")
		assert.Empty(t, central.seen())
	}
}

// A VM of the v4 API is created switched off, and the provider switches it on. No other VM may be switched on.
func TestKeepPowerSwitchesOnVMsOfTheSameRun(t *testing.T) {
	const other = "22222222-2222-3333-4444-555555555555"
	central := newCentral(t, func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet {
			page(http.StatusOK, "application/json", taskReply(t, "SUCCEEDED", createdVM.UUID))(w, req)
			return
		}
		accept(w, req)
	})
	gateway := start(t)
	options := RunOptions{Upstream: central.upstream("admin", "pw"), Mode: KeepPower, Creates: &recorder{}}
	run, another := childOf(t, open(t, gateway, options)), childOf(t, open(t, gateway, options))
	do := func(child *child, method, uuid, action string) int {
		status, _ := child.do(t, method, v4CreateURL+"/"+uuid+action, "")
		return status
	}
	const powerOn = "/$actions/power-on"
	assert.Equal(t, http.StatusConflict, do(run, http.MethodPost, createdVM.UUID, powerOn), "it does not exist yet")
	status, _ := run.do(t, http.MethodPost, v4CreateURL, v4CreateRequest)
	require.Equal(t, http.StatusAccepted, status)
	assert.Equal(t, http.StatusAccepted, do(run, http.MethodPost, createdVM.UUID, powerOn))
	assert.Equal(t, http.StatusAccepted, do(run, http.MethodPost, createdVM.UUID, powerOn), "the provider repeats it")
	assert.Equal(t, http.StatusConflict, do(run, http.MethodPost, other, powerOn))
	assert.Equal(t, http.StatusConflict, do(run, http.MethodPost, createdVM.UUID, "/$actions/power-off"))
	assert.Equal(t, http.StatusConflict, do(run, http.MethodPut, createdVM.UUID, powerOn))
	assert.Equal(t, http.StatusConflict, do(run, http.MethodDelete, createdVM.UUID, ""))
	assert.Equal(t, http.StatusConflict, do(another, http.MethodPost, createdVM.UUID, powerOn), "another run did not create it")
}

// A run may switch on the VM that AllowPowerOn names, and no other VM.
func TestAllowedVMIsSwitchedOn(t *testing.T) {
	central := centralWithVM(t, "OFF")
	session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: KeepPower})
	child := childOf(t, session)
	post := func(path string) int {
		status, _ := child.do(t, http.MethodPost, path, "")
		return status
	}
	assert.Equal(t, http.StatusConflict, post(v4VM+"/$actions/power-on"))
	session.AllowPowerOn(strings.ToUpper(v4VM[strings.LastIndex(v4VM, "/")+1:]))
	assert.Equal(t, http.StatusAccepted, post(v4VM+"/$actions/power-on"))
	assert.Equal(t, http.StatusConflict, post(v4VM+"/$actions/power-off"))
	assert.Equal(t, http.StatusConflict, post(v4CreateURL+"/99999999-2222-3333-4444-555555555555/$actions/power-on"))
}

// sent returns the requests that central has received with the given method.
func (c *central) sent(method string) []request {
	var found []request
	for _, request := range c.seen() {
		if request.method == method {
			found = append(found, request)
		}
	}
	return found
}

func TestOtherRunsMayChangeThePowerState(t *testing.T) {
	central := centralWithVM(t, "OFF")
	session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite})
	child := childOf(t, session)
	for _, request := range []struct{ method, path, body string }{
		{http.MethodPut, v3VM, v3Body("OFF")},
		{http.MethodPut, v3VM, v3Body("ON")},
		{http.MethodDelete, v3VM, ""},
		{http.MethodPost, v4VM + "/$actions/power-off", ""},
	} {
		status, _ := child.do(t, request.method, request.path, request.body)
		assert.Equal(t, http.StatusAccepted, status)
	}
	assert.Empty(t, central.sent(http.MethodGet))
}

func TestKeepPowerRefusesUpdateWithUnknownPowerState(t *testing.T) {
	for name, test := range map[string]struct {
		get    http.HandlerFunc
		status int
		reason string
	}{
		"not found":         {respond(http.StatusNotFound), http.StatusNotFound, ReasonPowerState},
		"unavailable":       {respond(http.StatusServiceUnavailable), http.StatusServiceUnavailable, ReasonPowerState},
		"not JSON":          {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, http.StatusBadGateway, ReasonPowerState},
		"no power state":    {ok, http.StatusBadGateway, ReasonPowerState},
		"broken connection": {closeConnection, http.StatusBadGateway, ReasonUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			central := newCentral(t, func(w http.ResponseWriter, req *http.Request) {
				if req.Method == http.MethodGet {
					test.get(w, req)
					return
				}
				accept(w, req)
			})
			session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: KeepPower})
			status, body := childOf(t, session).do(t, http.MethodPut, v3VM, v3Body("ON"))
			assert.Equal(t, test.status, status)
			assert.Equal(t, test.reason, reasonOf(t, body))
			assert.Empty(t, central.sent(http.MethodPut))
		})
	}
}

func TestKeepPowerRetriesReadingThePowerState(t *testing.T) {
	var reads atomic.Int32
	central := newCentral(t, func(w http.ResponseWriter, req *http.Request) {
		switch {
		case req.Method != http.MethodGet:
			accept(w, req)
		case reads.Add(1) <= 2:
			respond(http.StatusServiceUnavailable)(w, req)
		default:
			_, _ = io.WriteString(w, `{"status":{"resources":{"power_state":"ON"}}}`)
		}
	})
	session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: KeepPower})
	status, _ := childOf(t, session).do(t, http.MethodPut, v3VM, v3Body("ON"))
	assert.Equal(t, http.StatusAccepted, status)
	assert.Len(t, central.sent(http.MethodGet), 3)
	assert.Len(t, central.sent(http.MethodPut), 1)
}

func TestTooLargeUpdateIsNotSent(t *testing.T) {
	central := centralWithVM(t, "ON")
	session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: KeepPower})
	status, body := childOf(t, session).do(t, http.MethodPut, v3VM, strings.Repeat("x", maxUpdateBytes+1))
	assert.Equal(t, http.StatusRequestEntityTooLarge, status)
	assert.Equal(t, ReasonTooLarge, reasonOf(t, body))
	assert.Empty(t, central.seen())
}
