package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/capnt/capnt/e2e/prismsim/fault"
	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/networking"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// State is the response of GET /sim/state.
type State struct {
	Username     string                  `json:"username"`
	VMs          []model.VMView          `json:"vms"`
	Tasks        []model.TaskView        `json:"tasks"`
	Categories   []inventory.Category    `json:"categories"`
	Faults       []fault.Fault           `json:"faults"`
	Requests     int                     `json:"requests"`
	Rules        model.Rules             `json:"rules"`
	VolumeGroups []model.VolumeGroupView `json:"volumeGroups"`
	// AntiAffinityPolicies are the policies that keep VMs on different hosts.
	AntiAffinityPolicies []model.AntiAffinityPolicyView `json:"antiAffinityPolicies"`
	Network              networking.State               `json:"network"`
}

// Endpoints returns the handler of the HTTP API below /sim/. A real Prism Central does not have this API.
func (c *Control) Endpoints() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, e wire.Endpoint) { mux.Handle(pattern, e) }
	handle("GET /sim/state", c.getState)
	handle("GET /sim/requests", func(*http.Request) (int, any, error) { return http.StatusOK, c.Requests(), nil })
	handle("GET /sim/faults", func(*http.Request) (int, any, error) { return http.StatusOK, c.faults.List(), nil })
	handle("POST /sim/faults", c.postFault)
	handle("DELETE /sim/faults", func(*http.Request) (int, any, error) {
		c.faults.Clear()
		return http.StatusNoContent, nil, nil
	})
	handle("DELETE /sim/faults/{id}", func(r *http.Request) (int, any, error) {
		c.faults.Clear(r.PathValue("id"))
		return http.StatusNoContent, nil, nil
	})
	handle("GET /sim/network-rules", func(*http.Request) (int, any, error) { return http.StatusOK, c.NetworkRules(), nil })
	handle("PUT /sim/network-rules", c.putNetworkRules)
	c.rulesControl(handle)
	handle("POST /sim/images", c.postImage)
	c.accountControl(handle)
	c.connectionControl(handle)
	c.vmControl(handle)
	c.volumeGroupControl(handle)
	c.v4Control(handle)
	return mux
}

func (c *Control) getState(*http.Request) (int, any, error) {
	return http.StatusOK, State{
		Username: c.central.Username, VMs: c.VMs(), Tasks: c.Tasks(), Categories: c.Categories(),
		Faults: c.faults.List(), Requests: len(c.Requests()), Rules: c.Rules(), VolumeGroups: c.VolumeGroups(), Network: c.State(),
		AntiAffinityPolicies: c.AntiAffinityPolicies(),
	}, nil
}

func (c *Control) postFault(r *http.Request) (int, any, error) {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	var fault fault.Fault
	if err := decoder.Decode(&fault); err != nil {
		return 0, nil, badControl(fmt.Errorf("reading fault: %w", err))
	}
	id, err := c.faults.Set(fault)
	if err != nil {
		return 0, nil, badControl(err)
	}
	return http.StatusCreated, map[string]string{"id": id}, nil
}

func (c *Control) postImage(r *http.Request) (int, any, error) {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	var image inventory.Image
	if err := decoder.Decode(&image); err != nil {
		return 0, nil, badControl(fmt.Errorf("reading image: %w", err))
	}
	id, err := c.AddImage(image)
	if err != nil {
		return 0, nil, badControl(err)
	}
	return http.StatusCreated, map[string]string{"uuid": id}, nil
}

func badControl(err error) error {
	return &wire.Error{Status: http.StatusBadRequest, Kind: "sim", Reason: wire.ReasonInvalidRequest, Message: err.Error()}
}

// connectionControl adds the endpoints that connect and disconnect Prism Elements.
func (c *Control) connectionControl(handle func(pattern string, e wire.Endpoint)) {
	handle("POST /sim/clusters/{name}/disconnect", func(r *http.Request) (int, any, error) {
		var how model.Disconnection
		if err := readControl(r, &how); err != nil {
			return 0, nil, err
		}
		if err := c.DisconnectPrismElement(r.PathValue("name"), how); err != nil {
			return 0, nil, controlError(err)
		}
		return http.StatusNoContent, nil, nil
	})
	handle("POST /sim/clusters/{name}/reconnect", func(r *http.Request) (int, any, error) {
		if err := c.ReconnectPrismElement(r.PathValue("name")); err != nil {
			return 0, nil, err
		}
		return http.StatusNoContent, nil, nil
	})
}

// accountControl adds the endpoints that manage accounts.
func (c *Control) accountControl(handle func(pattern string, e wire.Endpoint)) {
	handle("PUT /sim/accounts/{name}", func(r *http.Request) (int, any, error) {
		var body struct{ Password string }
		if err := readControl(r, &body); err != nil {
			return 0, nil, err
		}
		c.SetAccount(r.PathValue("name"), body.Password)
		return http.StatusNoContent, nil, nil
	})
	handle("PUT /sim/accounts/{name}/rights", func(r *http.Request) (int, any, error) {
		var rights model.Rights
		if err := readControl(r, &rights); err != nil {
			return 0, nil, err
		}
		if err := c.SetRights(r.PathValue("name"), rights); err != nil {
			return 0, nil, badControl(err)
		}
		return http.StatusNoContent, nil, nil
	})
}

func (c *Control) rulesControl(handle func(pattern string, e wire.Endpoint)) {
	handle("GET /sim/rules", func(*http.Request) (int, any, error) { return http.StatusOK, c.Rules(), nil })
	handle("PUT /sim/rules", func(r *http.Request) (int, any, error) { return c.writeRules(r, model.Rules{}) })
	handle("PATCH /sim/rules", func(r *http.Request) (int, any, error) { return c.writeRules(r, c.Rules()) })
}

// writeRules sets the rules to base, with the fields in the request body replaced.
func (c *Control) writeRules(r *http.Request, base model.Rules) (int, any, error) {
	if err := readControl(r, &base); err != nil {
		return 0, nil, err
	}
	c.SetRules(base)
	return http.StatusOK, base, nil
}

// readControl decodes the body of a request and rejects unknown fields.
func readControl(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return badControl(fmt.Errorf("reading body: %w", err))
	}
	return nil
}

// controlError converts an error that is not a *wire.Error to a response with status 400.
func controlError(err error) error {
	var refused *wire.Error
	if errors.As(err, &refused) {
		return err
	}
	return badControl(err)
}

func (c *Control) postVMs(r *http.Request) (int, any, error) {
	var fleet model.Fleet
	if err := readControl(r, &fleet); err != nil {
		return 0, nil, err
	}
	vms, err := c.AddVMs(fleet)
	if err != nil {
		return 0, nil, controlError(err)
	}
	return http.StatusCreated, vms, nil
}

func (c *Control) putNetworkRules(r *http.Request) (int, any, error) {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	var rules networking.Rules
	if err := decoder.Decode(&rules); err != nil {
		return 0, nil, badControl(fmt.Errorf("reading network rules: %w", err))
	}
	c.SetNetworkRules(rules)
	return http.StatusOK, rules, nil
}
