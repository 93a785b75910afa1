package display

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// terraformState is the part of a Terraform state, version 4, that people see.
type terraformState struct {
	Serial           int64  `json:"serial"`
	Lineage          string `json:"lineage"`
	TerraformVersion string `json:"terraform_version"`
	Resources        []struct {
		Module    string          `json:"module"`
		Mode      string          `json:"mode"`
		Type      string          `json:"type"`
		Name      string          `json:"name"`
		Instances []stateInstance `json:"instances"`
	} `json:"resources"`
}

type stateInstance struct {
	IndexKey   any            `json:"index_key"`
	Status     string         `json:"status"`
	Attributes map[string]any `json:"attributes"`
	Sensitive  [][]struct {
		Value any `json:"value"`
	} `json:"sensitive_attributes"`
}

// State writes a Terraform state: the resources with the attributes that have values. Sensitive values are replaced.
func State(out io.Writer, style Style, names Names, content []byte) error {
	var state terraformState
	if err := json.Unmarshal(content, &state); err != nil {
		return fmt.Errorf("parsing the Terraform state: %w", err)
	}
	lines := []string{fmt.Sprintf("lineage %s, serial %d, written by terraform %s", state.Lineage, state.Serial, state.TerraformVersion)}
	for _, resource := range state.Resources {
		for _, instance := range resource.Instances {
			address := instance.address(resource.Module, resource.Mode, resource.Type, resource.Name)
			change := infrav1.PlannedChange{Address: address, Actions: []string{"create"}, Attributes: instance.attributes()}
			if instance.Status != "" {
				address += "  (" + instance.Status + ")"
			}
			lines = append(lines, "", style.paint(bold, printable(address)))
			rows, _ := rowsOf(change, names)
			lines = append(lines, Screen{Style: style}.rows(rows)...)
		}
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}

func (i stateInstance) address(module, mode, kind, name string) string {
	address := kind + "." + name
	if mode == "data" {
		address = "data." + address
	}
	if module != "" {
		address = module + "." + address
	}
	switch key := i.IndexKey.(type) {
	case string:
		address += fmt.Sprintf("[%q]", key)
	case float64:
		address += fmt.Sprintf("[%d]", int(key))
	}
	return address
}

// attributes returns the values of an instance in the form of a record, in the order of their paths.
func (i stateInstance) attributes() []infrav1.PlannedAttribute {
	secret := map[string]bool{}
	for _, path := range i.Sensitive {
		if len(path) > 0 {
			secret[fmt.Sprint(path[0].Value)] = true
		}
	}
	var attributes []infrav1.PlannedAttribute
	for _, name := range slices.Sorted(maps.Keys(i.Attributes)) {
		value := i.Attributes[name]
		list, isList := value.([]any)
		isEmpty := value == nil || isList && len(list) == 0
		if !isEmpty && (secret[name] || isBootstrapData(name)) {
			hidden := sensitivePrefix + ")"
			attributes = append(attributes, infrav1.PlannedAttribute{Path: name, After: &hidden})
		} else {
			attributes = append(attributes, flatten(name, value)...)
		}
	}
	return attributes
}

// isBootstrapData reports whether an attribute of a VM can contain bootstrap data. The provider does not mark it as sensitive. The manager
// removes it from the states that it stores.
func isBootstrapData(name string) bool {
	return strings.HasPrefix(name, "guest_customization") && name != "guest_customization_cloud_init_meta_data"
}

// flatten returns the values in a nested value by their paths. It leaves out what is empty.
func flatten(path string, value any) []infrav1.PlannedAttribute {
	var attributes []infrav1.PlannedAttribute
	switch value := value.(type) {
	case nil:
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			attributes = append(attributes, flatten(path+"."+name, value[name])...)
		}
	case []any:
		for i, element := range value {
			attributes = append(attributes, flatten(fmt.Sprintf("%s[%d]", path, i), element)...)
		}
	case string:
		if value != "" {
			attributes = append(attributes, infrav1.PlannedAttribute{Path: path, After: &value})
		}
	default:
		content, _ := json.Marshal(value)
		text := string(content)
		attributes = append(attributes, infrav1.PlannedAttribute{Path: path, After: &text})
	}
	return attributes
}
