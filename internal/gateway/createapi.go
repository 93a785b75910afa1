package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
)

// createAPI parses the create requests and responses of one API version.
type createAPI interface {
	// request parses a create request. A field that cannot be parsed stays empty, because Prism Central validates the request anyway.
	request(body []byte) Create
	// response parses a 2xx response to a create.
	response(body []byte) (Created, error)
}

// v3CreatePath is the path of POST requests that create a VM with the v3 API.
const v3CreatePath = "/api/nutanix/v3/vms"

// v4CreatePath matches the path of POST requests that create a VM with any v4 version of the API, for example v4.2 or v4.0.b1, and captures
// the version.
var v4CreatePath = regexp.MustCompile(`^/api/vmm/(v4\.[0-9a-z.]+)/ahv/config/vms$`)

// createAPIOf returns the API of a create request, or nil if req does not create a VM.
func createAPIOf(req *http.Request) createAPI {
	switch {
	case req.Method != http.MethodPost:
		return nil
	case req.URL.Path == v3CreatePath:
		return v3Create{}
	case v4CreatePath.MatchString(req.URL.Path):
		return v4Create{}
	}
	return nil
}

type v3Create struct{}

func (v3Create) request(body []byte) Create {
	var request struct {
		Spec struct {
			Name string `json:"name"`
		} `json:"spec"`
	}
	_ = json.Unmarshal(body, &request)
	return Create{Name: request.Spec.Name}
}

func (v3Create) response(body []byte) (Created, error) {
	var response struct {
		Metadata struct {
			UUID string `json:"uuid"`
		} `json:"metadata"`
		Status struct {
			ExecutionContext struct {
				// Prism Central sends a string, but the API documentation also allows a list. With RawMessage a list does not prevent the UUID from
				// being parsed.
				TaskUUID json.RawMessage `json:"task_uuid"`
			} `json:"execution_context"`
		} `json:"status"`
	}
	if err := json.Unmarshal(body, &response); err != nil {
		return Created{}, fmt.Errorf("reading the response to a v3 create: %w", err)
	}
	if response.Metadata.UUID == "" {
		return Created{}, errors.New("reading the response to a v3 create: metadata.uuid is missing")
	}
	created := Created{UUID: response.Metadata.UUID}
	_ = json.Unmarshal(response.Status.ExecutionContext.TaskUUID, &created.TaskUUID)
	return created, nil
}

type v4Create struct{}

func (v4Create) request(body []byte) Create {
	var request struct {
		Name string `json:"name"`
	}
	_ = json.Unmarshal(body, &request)
	return Create{Name: request.Name, V4: true}
}

func (v4Create) response(body []byte) (Created, error) {
	var response struct {
		Data struct {
			ExtID string `json:"extId"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &response); err != nil {
		return Created{}, fmt.Errorf("reading the response to a v4 create: %w", err)
	}
	if response.Data.ExtID == "" {
		return Created{}, errors.New("reading the response to a v4 create: data.extId, the task, is missing")
	}
	return Created{TaskUUID: response.Data.ExtID}, nil
}
