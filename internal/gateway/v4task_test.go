package gateway

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

const v4TaskURL = "/api/prism/v4.2/config/tasks/" + v4TaskID

func TestFailedTaskHasAMessage(t *testing.T) {
	const message = `"errorMessages":[{"$objectType":"prism.v4.error.AppMessage","code":"FAILED","errorGroup":"GATEWAY_TASK_WITHOUT_MESSAGE","message":"`
	for name, test := range map[string]struct {
		path, body, want string
	}{
		"no message": {v4TaskURL, `{"data":{"status":"FAILED","progressPercentage":12345678901234567890}}`,
			`{"data":{` + message + `Prism Central reports no error message for this task","severity":"ERROR"}],"progressPercentage":12345678901234567890,"status":"FAILED"}}`},
		"no message in the list": {v4TaskURL, `{"data":{"errorMessages":[],"status":"FAILED"}}`,
			`{"data":{` + message + `Prism Central reports no error message for this task","severity":"ERROR"}],"status":"FAILED"}}`},
		"message of an older API": {v4TaskURL, `{"data":{"legacyErrorMessage":"no host","status":"FAILED"}}`,
			`{"data":{` + message + `no host","severity":"ERROR"}],"legacyErrorMessage":"no host","status":"FAILED"}}`},
		"canceled": {v4TaskURL, `{"data":{"status":"CANCELED"}}`,
			`{"data":{"errorMessages":[{"$objectType":"prism.v4.error.AppMessage","code":"CANCELED","errorGroup":"GATEWAY_TASK_WITHOUT_MESSAGE",` +
				`"message":"Prism Central reports no error message for this task","severity":"ERROR"}],"status":"CANCELED"}}`},
		"with a message":     {v4TaskURL, `{"data":{ "errorMessages":[{"message":"no host"}],"status":"FAILED"}}`, ""},
		"succeeded":          {v4TaskURL, `{"data":{ "status":"SUCCEEDED"}}`, ""},
		"running":            {v4TaskURL, `{"data":{ "status":"RUNNING"}}`, ""},
		"not a task":         {v4TaskURL, `[]`, ""},
		"nothing":            {v4TaskURL, `{}`, ""},
		"list of tasks":      {"/api/prism/v4.2/config/tasks", `{"data":[{"status":"FAILED"}]}`, ""},
		"another kind":       {v4VM, `{"data":{ "status":"FAILED"}}`, ""},
		"task of the v3 API": {"/api/nutanix/v3/tasks/1", `{"data":{ "status":"FAILED"}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			central := newCentral(t, page(http.StatusOK, "application/json", test.body))
			child := childOf(t, open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw")}))
			status, body := child.do(t, http.MethodGet, test.path, "")
			assert.Equal(t, http.StatusOK, status)
			if test.want == "" {
				assert.Equal(t, test.body, body)
				return
			}
			assert.JSONEq(t, test.want, body)
			assert.Equal(t, test.want, body, "numbers stay as they are")
		})
	}
}
