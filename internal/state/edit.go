package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Attributes of virtual machines that contain the bootstrap data of a machine: userData of a nutanix_virtual_machine, and
// guestCustomization of a nutanix_virtual_machine_v2. The bootstrap data of a control plane machine contains private keys. The modules
// ignore changes of these attributes after the VM was created, so that a plan finds no change although the stored state does not contain
// the user data.
const (
	userData           = "guest_customization_cloud_init_user_data"
	guestCustomization = "guest_customization"
)

// emptied maps each attribute with bootstrap data to the value that replaces it. An empty list is what the provider stores if Prism Central
// does not return the guest customization.
var emptied = map[string]string{userData: "null", guestCustomization: "[]"}

// document is a Terraform state of version 4. Only the parts that this package edits are decoded. All other parts are kept unchanged.
type document struct {
	fields    map[string]json.RawMessage
	resources []map[string]json.RawMessage
}

// errFormat replaces the errors of the JSON decoder, because those may quote the state, which contains secrets.
var errFormat = errors.New("it is not a Terraform state of version 4")

func parse(content []byte) (*document, error) {
	d := &document{}
	if err := json.Unmarshal(content, &d.fields); err != nil {
		return nil, errFormat
	}
	if resources, found := d.fields["resources"]; found {
		if err := json.Unmarshal(resources, &d.resources); err != nil {
			return nil, errFormat
		}
	}
	return d, nil
}

// encode returns the document as a state.
func (d *document) encode() (content []byte, err error) {
	if d.fields["resources"], err = json.Marshal(d.resources); err != nil {
		return nil, errFormat
	}
	return json.Marshal(d.fields)
}

// encodeNext returns the document as the next state. Terraform increases the serial by one for every change.
func (d *document) encodeNext() ([]byte, error) {
	var serial int64
	if err := json.Unmarshal(d.fields["serial"], &serial); err != nil {
		return nil, errFormat
	}
	d.fields["serial"] = strconv.AppendInt(nil, serial+1, 10)
	return d.encode()
}

// addressOf returns the address of a resource, without the index of an instance.
func addressOf(resource map[string]json.RawMessage) string {
	var module, kind, name string
	_ = json.Unmarshal(resource["module"], &module)
	_ = json.Unmarshal(resource["type"], &kind)
	_ = json.Unmarshal(resource["name"], &name)
	return strings.TrimPrefix(module+"."+kind+"."+name, ".")
}

// instances calls edit with each instance of a resource. edit returns true if it has changed the instance.
func instances(resource map[string]json.RawMessage, edit func(instance map[string]json.RawMessage) bool) (changed bool, err error) {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(resource["instances"], &list); err != nil {
		return false, errFormat
	}
	for _, instance := range list {
		changed = edit(instance) || changed
	}
	if changed {
		resource["instances"], err = json.Marshal(list)
	}
	return changed, err
}

// Forget removes the resources at addresses from the state in content and returns the new state. It ignores an address that is not in the
// state.
func Forget(content []byte, addresses ...string) ([]byte, error) {
	d, err := parse(content)
	if err != nil {
		return nil, err
	}
	d.resources = slices.DeleteFunc(d.resources, func(resource map[string]json.RawMessage) bool {
		return slices.Contains(addresses, addressOf(resource))
	})
	return d.encodeNext()
}

// Untaint removes the taint from the resource at address in the state in content, and returns the new state.
func Untaint(content []byte, address string) ([]byte, error) {
	d, err := parse(content)
	if err != nil {
		return nil, err
	}
	for _, resource := range d.resources {
		if addressOf(resource) != address {
			continue
		}
		if _, err := instances(resource, func(instance map[string]json.RawMessage) bool {
			delete(instance, "status")
			return true
		}); err != nil {
			return nil, err
		}
	}
	return d.encodeNext()
}

// Outputs returns the outputs of the root module. It maps their names to their values as JSON.
func Outputs(content []byte) (map[string]json.RawMessage, error) {
	var file struct {
		Outputs map[string]struct {
			Value json.RawMessage `json:"value"`
		} `json:"outputs"`
	}
	if err := json.Unmarshal(content, &file); len(content) > 0 && err != nil {
		return nil, fmt.Errorf("reading the outputs: %w", errFormat)
	}
	values := make(map[string]json.RawMessage, len(file.Outputs))
	for name, output := range file.Outputs {
		values[name] = output.Value
	}
	return values, nil
}

// withoutUserData removes the user data of virtual machines from the state in content and returns the new state. changed is true if
// content contained user data. The serial stays the same.
func withoutUserData(content []byte) (clean []byte, changed bool, err error) {
	if !strings.Contains(string(content), guestCustomization) {
		return content, false, nil
	}
	d, err := parse(content)
	if err != nil {
		return nil, false, err
	}
	for _, resource := range d.resources {
		cleaned, err := instances(resource, removeUserData)
		if err != nil {
			return nil, false, err
		}
		changed = changed || cleaned
	}
	if !changed {
		return content, false, nil
	}
	clean, err = d.encode()
	return clean, true, err
}

// increase increases the serial of the state in content by one and returns the new state.
func increase(content []byte) ([]byte, error) {
	d, err := parse(content)
	if err != nil {
		return nil, err
	}
	return d.encodeNext()
}

func removeUserData(instance map[string]json.RawMessage) bool {
	var attributes map[string]json.RawMessage
	if json.Unmarshal(instance["attributes"], &attributes) != nil {
		return false
	}
	changed := false
	for attribute, empty := range emptied {
		if value, found := attributes[attribute]; found && !slices.Contains([]string{"null", `""`, "[]"}, string(value)) {
			attributes[attribute] = json.RawMessage(empty)
			changed = true
		}
	}
	if !changed {
		return false
	}
	encoded, err := json.Marshal(attributes)
	if err != nil {
		return false
	}
	instance["attributes"] = encoded
	return true
}

// ErrRefused means that a state was not stored, because the stored state is newer or has another lineage.
var ErrRefused = errors.New("another state was written since")

// follows returns ErrRefused unless the state content may replace the stored state present. The rule is the same as in Terraform: any
// state may replace an empty one. Otherwise both states need the same lineage, and if they differ, the new one needs a higher serial.
func follows(content, present []byte) error {
	var next, stored struct {
		Lineage   string
		Serial    int64
		Resources []json.RawMessage
	}
	if err := json.Unmarshal(content, &next); err != nil {
		return errFormat
	}
	if len(present) == 0 {
		return nil
	}
	if err := json.Unmarshal(present, &stored); err != nil {
		return errFormat
	}
	switch {
	case len(stored.Resources) == 0:
		return nil
	case stored.Lineage != next.Lineage, stored.Serial > next.Serial, stored.Serial == next.Serial && !equal(content, present):
		return ErrRefused
	}
	return nil
}

// equal reports whether two states are equal except for user data.
func equal(one, other []byte) bool {
	var decoded [2]any
	for i, content := range [][]byte{one, other} {
		clean, _, err := withoutUserData(content)
		if err != nil || json.Unmarshal(clean, &decoded[i]) != nil {
			return false
		}
	}
	return reflect.DeepEqual(decoded[0], decoded[1])
}

// describe returns a description, in Terraform's own format, of a lock that this process acquires without Terraform.
func describe(id, operation string) []byte {
	host, _ := os.Hostname()
	encoded, _ := json.Marshal(Lock{ID: id, Operation: operation, Who: "capnt@" + host, Created: time.Now().UTC()})
	return encoded
}
