package gateway

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFailuresOfV4RequestsAreKept(t *testing.T) {
	const (
		message = `{"message":"no such cluster","errorGroup":"VM_INVALID_ARGUMENT"}`
		schema  = `{"data":{"error":{"validationErrorMessages":[{"location":"@body.name","message":"Array is too short"}]}}}`
	)
	want := Failure{http.StatusUnprocessableEntity, "VM_INVALID_ARGUMENT", "no such cluster"}
	for name, test := range map[string]struct {
		path, body string
		status     int
		want       []Failure
	}{
		"error":                     {v4VM, `{"data":{"error":[` + message + `,{"message":"other"}]}}`, 422, []Failure{want}},
		"error without an envelope": {"/api/prism/v4.2/config/categories", `{"error":[` + message + `]}`, 422, []Failure{want}},
		"error of the schema check": {v4VM, schema, 400, []Failure{{400, "", "Array is too short"}}},
		"another object":            {v4VM, `{"a":1}`, 409, []Failure{{409, "", ""}}},
		"error with another type":   {v4VM, `{"data":{"error":"text"}}`, 409, []Failure{{409, "", ""}}},
		"page of a proxy":           {v4VM, "<html>busy", 409, []Failure{{409, ReasonUnreadable, "status 409, reason: GATEWAY_RESPONSE_UNREADABLE: GET " + v4VM + ": the response has status 409 Conflict and is not JSON: busy"}}},
		"success":                   {v4VM, `{"data":{"error":[` + message + `]}}`, 200, nil},
		"v3":                        {v3VM, `{"data":{"error":[` + message + `]}}`, 422, nil},
		"failed task":               {v4TaskURL, `{"data":{"status":"FAILED","errorMessages":[{"message":"no host","errorGroup":"X"}]}}`, 200, []Failure{{0, "X", "no host"}}},
		"failed task, no message":   {v4TaskURL, `{"data":{"status":"FAILED"}}`, 200, []Failure{{0, ReasonTaskWithoutMessage, noTaskMessage}}},
		"running task":              {v4TaskURL, `{"data":{"status":"RUNNING"}}`, 200, nil},
	} {
		t.Run(name, func(t *testing.T) {
			central := newCentral(t, page(test.status, "application/json", test.body))
			run := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw")})
			childOf(t, run).do(t, http.MethodGet, test.path, "")
			assert.Equal(t, test.want, run.Failures())
		})
	}
}

func TestFailuresOfTheGatewayAreKept(t *testing.T) {
	central := newCentral(t, ok)
	run := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw")})
	child := childOf(t, run)
	child.do(t, http.MethodDelete, v3VM, "")
	child.do(t, http.MethodDelete, v4VM, "")
	require.Len(t, run.Failures(), 1, "those of the v3 API are printed by the provider")
	assert.Equal(t, ReasonReadOnly, run.Failures()[0].Reason)
	assert.Equal(t, http.StatusForbidden, run.Failures()[0].Status)
	assert.Contains(t, run.Failures()[0].Message, "could change something")
}

func TestOnlyTheLastFailuresAreKept(t *testing.T) {
	var kept failures
	for i := range maxFailures + 3 {
		kept.add(Failure{Message: fmt.Sprint(i)})
	}
	assert.Len(t, kept.last, maxFailures)
	assert.Equal(t, "3", kept.last[0].Message)
}
