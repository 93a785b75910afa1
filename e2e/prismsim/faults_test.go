package prismsim_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
)

// setFault activates a fault and returns its ID.
func setFault(t *testing.T, s *prismsim.Server, fault prismsim.Fault) string {
	t.Helper()
	id, err := s.Faults().Set(fault)
	require.NoError(t, err)
	return id
}

func TestFaultWithAStatus(t *testing.T) {
	tests := map[int]string{
		http.StatusTooManyRequests:     "RATE_LIMIT_EXCEEDED",
		http.StatusInternalServerError: "INTERNAL_ERROR",
		http.StatusServiceUnavailable:  "SERVICE_UNAVAILABLE",
		http.StatusConflict:            "Edit conflict",
		http.StatusNotFound:            "ENTITY_NOT_FOUND",
		http.StatusUnauthorized:        "AUTHENTICATION_REQUIRED",
	}
	s := start(t, nil)
	for status, text := range tests {
		setFault(t, s, prismsim.Fault{Path: "/users/me$", Status: status, RetryAfter: 1500 * time.Millisecond, Times: 1})
		response, body := request(t, s, http.MethodGet, mePath, "", nil)
		assert.Equal(t, status, response.StatusCode)
		assert.Equal(t, "2", response.Header.Get("Retry-After"), "whole seconds, rounded up")
		assert.Contains(t, body, text)
		response, _ = request(t, s, http.MethodGet, mePath, "", nil)
		assert.Equal(t, http.StatusOK, response.StatusCode, "once only")
	}
	setFault(t, s, prismsim.Fault{Status: http.StatusBadGateway, Body: "{}"})
	_, body := request(t, s, http.MethodGet, mePath, "", nil)
	assert.Equal(t, "{}", body)
}

func TestFaultsMatchMethodPathCountAndTime(t *testing.T) {
	s := start(t, nil)
	status := func(method, path string) int {
		response, _ := request(t, s, method, "/api/nutanix/v3"+path, "", nil)
		return response.StatusCode
	}
	id := setFault(t, s, prismsim.Fault{Method: http.MethodPost, Path: "/(vms|images)/list$", Status: http.StatusServiceUnavailable, Times: 2, Skip: 1})
	assert.Equal(t, http.StatusOK, status(http.MethodPost, "/vms/list"), "skipped")
	assert.Equal(t, http.StatusOK, status(http.MethodGet, "/users/me"))
	assert.Equal(t, http.StatusOK, status(http.MethodPost, "/hosts/list"))
	assert.Equal(t, http.StatusServiceUnavailable, status(http.MethodPost, "/vms/list"))
	assert.Equal(t, http.StatusServiceUnavailable, status(http.MethodPost, "/images/list"))
	assert.Equal(t, http.StatusOK, status(http.MethodPost, "/vms/list"))
	assert.Equal(t, 2, s.Faults().List()[0].Hits)

	hits := 0
	for _, r := range s.Requests() {
		if r.Fault == id {
			hits++
			assert.Equal(t, http.StatusServiceUnavailable, r.Status)
		}
	}
	assert.Equal(t, 2, hits)

	long := setFault(t, s, prismsim.Fault{Path: "/users/me$", Status: http.StatusInternalServerError, For: hour})
	assert.Equal(t, http.StatusInternalServerError, status(http.MethodGet, "/users/me"))
	s.Faults().Clear(long)
	const short = 100 * time.Millisecond
	began := time.Now()
	setFault(t, s, prismsim.Fault{Path: "/users/me$", Status: http.StatusInternalServerError, For: short})
	assert.Eventually(t, func() bool { return status(http.MethodGet, "/users/me") == http.StatusOK }, waitFor, tick)
	assert.GreaterOrEqual(t, time.Since(began), short)

	endless := setFault(t, s, prismsim.Fault{Status: http.StatusInternalServerError})
	assert.Equal(t, http.StatusInternalServerError, status(http.MethodGet, "/users/me"))
	s.Faults().Clear(endless)
	assert.Equal(t, http.StatusOK, status(http.MethodGet, "/users/me"))
	s.Faults().Clear()
	assert.Empty(t, s.Faults().List())
}

func TestFaultMatchesBody(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	setFault(t, s, prismsim.Fault{Method: http.MethodPost, Path: "/vms$", Contains: `"name":"vm-2"`, TaskError: "INTERNAL_ERROR: no luck"})
	create(t, client, intent(t, s, "vm-1"))
	response, err := client.CreateVM(t.Context(), intent(t, s, "vm-2"))
	require.NoError(t, err)
	assert.Equal(t, "INTERNAL_ERROR: no luck", *wait(t, client, response.Status.ExecutionContext).ErrorDetail)
	create(t, client, intent(t, s, "vm-3"))
	assert.Equal(t, 1, s.Faults().List()[0].Hits)
}

func TestFaultDelay(t *testing.T) {
	s := start(t, nil)
	setFault(t, s, prismsim.Fault{Path: "/users/me$", Delay: 200 * time.Millisecond, Times: 1})
	began := time.Now()
	response, _ := request(t, s, http.MethodGet, mePath, "", nil)
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.GreaterOrEqual(t, time.Since(began), 200*time.Millisecond)

	setFault(t, s, prismsim.Fault{Delay: hour})
	failed := make(chan error, 1)
	client := connect(t, s, nil)
	go func() {
		_, err := client.ListAllVM(t.Context(), "")
		failed <- err
	}()
	require.Eventually(t, func() bool { return len(s.Faults().List()) == 2 && s.Faults().List()[1].Hits == 1 }, waitFor, tick)
	s.Close()
	assert.Error(t, <-failed, "closing ends delays")
}

func TestFaultDropsConnection_BeforeRequestIsProcessed(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	setFault(t, s, prismsim.Fault{Method: http.MethodPost, Path: "/vms$", Drop: true, Times: 1})
	_, err := client.CreateVM(t.Context(), intent(t, s, "vm-1"))
	require.ErrorContains(t, err, "EOF")
	assert.Empty(t, s.Tasks())
	create(t, client, intent(t, s, "vm-1"))
}

func TestFaultDropsReply_AfterRequestIsProcessed(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	setFault(t, s, prismsim.Fault{Method: http.MethodPost, Path: "/vms$", DropReply: true, Times: 1})
	_, err := client.CreateVM(t.Context(), intent(t, s, "vm-1"))
	require.ErrorContains(t, err, "EOF")
	require.Eventually(t, func() bool { return len(s.VMs()) == 1 }, waitFor, tick, "the VM must be created although the response was lost")
	var dropped prismsim.Request
	require.Eventually(t, func() bool {
		for _, r := range s.Requests() {
			if r.Method == http.MethodPost && r.Path == "/api/nutanix/v3/vms" {
				dropped = r
				return true
			}
		}
		return false
	}, waitFor, tick)
	assert.Zero(t, dropped.Status)
}

func TestFaultFailsTask(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	vms := prismsim.Fault{Method: http.MethodPost, Path: "/vms$", TaskError: "INTERNAL_ERROR: no luck", Times: 1}

	setFault(t, s, vms)
	response, err := client.CreateVM(t.Context(), intent(t, s, "before"))
	require.NoError(t, err)
	task := wait(t, client, response.Status.ExecutionContext)
	assert.Equal(t, "FAILED", *task.Status)
	assert.Equal(t, "INTERNAL_ERROR: no luck", *task.ErrorDetail)
	assert.Empty(t, s.VMs())

	vms.AfterWork = true
	setFault(t, s, vms)
	response, err = client.CreateVM(t.Context(), intent(t, s, "after"))
	require.NoError(t, err)
	assert.Equal(t, "FAILED", *wait(t, client, response.Status.ExecutionContext).Status)
	require.Len(t, s.VMs(), 1, "the VM must exist although the response was lost")
	assert.Equal(t, "ERROR", s.VMs()[0].State)

	id := s.VMs()[0].UUID
	setFault(t, s, prismsim.Fault{Method: http.MethodDelete, Path: "/vms/", TaskError: "INTERNAL_ERROR: detach the volume group first", Times: 1})
	gone, err := client.DeleteVM(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "FAILED", *wait(t, client, gone.Status.ExecutionContext).Status)
	vm, err := client.GetVM(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "COMPLETE", *vm.Status.State)
}

func TestBadFaultsAreRefused(t *testing.T) {
	s := start(t, nil)
	_, err := s.Faults().Set(prismsim.Fault{Path: "("})
	assert.ErrorContains(t, err, "regular expression")
	_, err = s.Faults().Set(prismsim.Fault{Status: 199})
	assert.ErrorContains(t, err, "between 200 and 599")
}

func TestParseFault(t *testing.T) {
	tests := map[string]prismsim.Fault{
		"POST /vms$ status=503 times=3":                    {Method: "POST", Path: "/vms$", Status: 503, Times: 3},
		"* . delay=2s for=1m":                              {Path: ".", Delay: 2 * time.Second, For: time.Minute},
		"GET /tasks/ dropReply":                            {Method: "GET", Path: "/tasks/", DropReply: true},
		"* . status=429 retryAfter=5s":                     {Path: ".", Status: 429, RetryAfter: 5 * time.Second},
		"POST /vms$ hold=40s delayReply=2s":                {Method: "POST", Path: "/vms$", Hold: 40 * time.Second, DelayReply: 2 * time.Second},
		"POST /vms$ contains=vm-2 drop":                    {Method: "POST", Path: "/vms$", Contains: "vm-2", Drop: true},
		"POST /vms$ times=1 taskError=no luck, delay=more": {Method: "POST", Path: "/vms$", Times: 1, TaskError: "no luck, delay=more"},
	}
	for text, want := range tests {
		got, err := prismsim.ParseFault(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		raw, err := json.Marshal(got)
		require.NoError(t, err)
		var again prismsim.Fault
		require.NoError(t, json.Unmarshal(raw, &again))
		assert.Equal(t, want, again, "through JSON: %s", raw)
	}
	for text, complaint := range map[string]string{
		"POST /vms$":             "want METHOD PATH-REGEXP",
		"POST /vms$ colour=red":  "colour",
		"POST /vms$ delay=quick": "1m30s",
		"POST /vms$ status=many": "status",
	} {
		_, err := prismsim.ParseFault(text)
		assert.ErrorContains(t, err, complaint, text)
	}
}
