package gateway

import (
	"encoding/json"
	"net/http"
)

// updateAPI parses the VM updates of one API version.
type updateAPI interface {
	// update returns the name and the power state in the body of an update. Both may be empty.
	update(body []byte) (name, power string, err error)
	// refuse returns why an update that contains the power state wanted must not be sent, or an empty string.
	refuse(req *http.Request, wanted string) string
	// current returns the power state in the response to a GET request for the VM.
	current(body []byte) (string, error)
}

// updateAPIOf returns the API of a request that updates a VM, or nil for other requests.
func updateAPIOf(req *http.Request) updateAPI {
	switch path := req.URL.EscapedPath(); {
	case req.Method != http.MethodPut:
		return nil
	case v3UpdatePath.MatchString(path):
		return v3Update{}
	case v4UpdatePath.MatchString(path):
		return v4Update{}
	}
	return nil
}

const withoutPowerState = "the update does not say that the virtual machine stays switched on"

type v3Update struct{}

func (v3Update) update(body []byte) (string, string, error) {
	var update struct {
		Spec struct {
			Name      string `json:"name"`
			Resources struct {
				PowerState string `json:"power_state"`
			} `json:"resources"`
		} `json:"spec"`
	}
	err := json.Unmarshal(body, &update)
	return update.Spec.Name, update.Spec.Resources.PowerState, err
}

func (v3Update) refuse(_ *http.Request, wanted string) string {
	switch wanted {
	case "":
		return withoutPowerState
	case powerOn:
		return ""
	}
	return "the update would set its power state to " + wanted
}

func (v3Update) current(body []byte) (string, error) {
	var vm struct {
		Status struct {
			Resources struct {
				PowerState string `json:"power_state"`
			} `json:"resources"`
		} `json:"status"`
	}
	err := json.Unmarshal(body, &vm)
	return vm.Status.Resources.PowerState, err
}

type v4Update struct{}

func (v4Update) update(body []byte) (string, string, error) {
	var update struct {
		Name       string `json:"name"`
		PowerState string `json:"powerState"`
	}
	err := json.Unmarshal(body, &update)
	return update.Name, update.PowerState, err
}

// refuse requires If-Match, so that Prism Central rejects the update if the power state changes after the gateway has read it.
func (v4Update) refuse(req *http.Request, wanted string) string {
	match := req.Header.Get("If-Match")
	switch {
	case wanted == "":
		return withoutPowerState
	case match == "" || match == "*":
		return "the update has no If-Match, so Prism Central would accept it after a change of the power state"
	}
	return ""
}

func (v4Update) current(body []byte) (string, error) {
	var vm struct {
		Data struct {
			PowerState string `json:"powerState"`
		} `json:"data"`
	}
	err := json.Unmarshal(body, &vm)
	return vm.Data.PowerState, err
}
