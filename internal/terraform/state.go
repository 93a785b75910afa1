package terraform

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// State contains the parts of a Terraform state that a run needs. Of the attributes of a resource it contains only the ID.
type State struct {
	// Lineage identifies the history of the state. It is empty if no state exists.
	Lineage string
	// Serial is a number that Terraform increases with every write.
	Serial int64
	// Resources lists the instances of managed resources. It does not contain data sources.
	Resources []Resource
}

// Resource is one instance of a managed resource.
type Resource struct {
	// Address is the full address, for example module.machine.nutanix_virtual_machine.this.
	Address string
	// Type is the resource type, for example nutanix_virtual_machine.
	Type string
	// ID is the value of the attribute "id". It is empty if the resource does not have this attribute.
	ID string
	// Tainted is true if the next plan will replace the instance.
	Tainted bool
}

// Empty reports whether the state contains no managed resources.
func (s *State) Empty() bool { return len(s.Resources) == 0 }

// Has reports whether the state contains the resource at address. If address is the address of a module or of a resource with several
// instances, it reports whether the state contains anything below that address.
func (s *State) Has(address string) bool {
	for _, resource := range s.Resources {
		rest, found := strings.CutPrefix(resource.Address, address)
		if found && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// State reads the state from the backend. If the backend has no state, the result is an empty State.
func (r *Run) State(ctx context.Context) (*State, error) {
	pulled, err := r.Pull(ctx)
	if err != nil {
		return nil, err
	}
	return ParseState(pulled)
}

// Pull reads the state from the backend and returns it in Terraform's own format. If the backend has no state, the result is empty. The
// state contains secrets.
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

// stateFile contains the fields of the state format, version 4, that ParseState reads.
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

// ParseState parses a state in Terraform's own format. If content is empty, the result is an empty State.
func ParseState(content []byte) (*State, error) {
	if len(strings.TrimSpace(string(content))) == 0 {
		return &State{}, nil
	}
	var file stateFile
	if err := json.Unmarshal(content, &file); err != nil {
		// The error of the JSON decoder is not returned, because it may quote the state, which contains secrets.
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
