package terraform

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// State is what a run needs to know of a Terraform state; it holds no attribute but the id.
type State struct {
	// Lineage identifies the state's history; empty when there is no state yet.
	Lineage string
	// Serial counts the writes.
	Serial int64
	// Resources are the managed resource instances; data sources are left out.
	Resources []Resource
}

// Resource is one managed resource instance in a state.
type Resource struct {
	// Address is the full address, for example module.machine.nutanix_virtual_machine.this.
	Address string
	// Type is the resource type, for example nutanix_virtual_machine.
	Type string
	// ID is the attribute "id"; empty when the provider has none.
	ID string
	// Tainted says that the next plan replaces the instance.
	Tainted bool
}

// Empty says that the state holds no managed resource.
func (s *State) Empty() bool { return len(s.Resources) == 0 }

// Has says whether the state holds something at address, or below it when it names a module or all instances of a
// resource.
func (s *State) Has(address string) bool {
	for _, resource := range s.Resources {
		rest, found := strings.CutPrefix(resource.Address, address)
		if found && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// State reads the state from the backend. A backend without a state gives an empty one.
func (r *Run) State(ctx context.Context) (*State, error) {
	pulled, err := r.Pull(ctx)
	if err != nil {
		return nil, err
	}
	return parseState(pulled)
}

// Pull reads the state from the backend in Terraform's own format. It contains secrets. Without a state it is empty.
func (r *Run) Pull(ctx context.Context) ([]byte, error) {
	pulled, complete := "", false
	err := r.command(ctx, "state pull", func(ctx context.Context) (err error) {
		pulled, err = r.cli.StatePull(ctx)
		complete = err == nil
		return err
	})
	if err != nil {
		return nil, err
	}
	if !complete {
		return nil, interrupted(ctx, "state pull")
	}
	return []byte(pulled), nil
}

// stateFile is the part of the state format, version 4, that is read here.
type stateFile struct {
	Lineage   string `json:"lineage"`
	Serial    int64  `json:"serial"`
	Resources []struct {
		Module    string `json:"module"`
		Mode      string `json:"mode"`
		Type      string `json:"type"`
		Name      string `json:"name"`
		Instances []struct {
			IndexKey   json.RawMessage `json:"index_key"`
			Status     string          `json:"status"`
			Attributes struct {
				ID any `json:"id"`
			} `json:"attributes"`
		} `json:"instances"`
	} `json:"resources"`
}

func parseState(content []byte) (*State, error) {
	if len(strings.TrimSpace(string(content))) == 0 {
		return &State{}, nil
	}
	var file stateFile
	if err := json.Unmarshal(content, &file); err != nil {
		// The decoder's text may quote the state, which holds secrets.
		return nil, fmt.Errorf("reading the state of %d bytes: it is not a Terraform state of version 4", len(content))
	}
	state := &State{Lineage: file.Lineage, Serial: file.Serial}
	for _, resource := range file.Resources {
		if resource.Mode != "managed" {
			continue
		}
		address := resource.Type + "." + resource.Name
		if resource.Module != "" {
			address = resource.Module + "." + address
		}
		for _, instance := range resource.Instances {
			found := Resource{Address: address, Type: resource.Type, Tainted: instance.Status == "tainted"}
			if len(instance.IndexKey) > 0 {
				found.Address += "[" + string(instance.IndexKey) + "]"
			}
			if id, ok := instance.Attributes.ID.(string); ok {
				found.ID = id
			}
			state.Resources = append(state.Resources, found)
		}
	}
	return state, nil
}
