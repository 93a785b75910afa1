package display

import (
	"strconv"
	"strings"
)

// address is the address of a resource: `module.machine.nutanix_virtual_machine.this[0]` has the module `module.machine`, the type
// nutanix_virtual_machine, the name this and the index 0.
type address struct {
	module, kind, name string
	index              any
	data               bool
}

// resourceType returns the type of the resource at an address.
func resourceType(text string) string { return parseAddress(text).kind }

// parseAddress splits the address of a resource. Dots in the keys of instances do not separate parts.
func parseAddress(text string) address {
	parts := splitAddress(text)
	var result address
	for len(parts) > 2 && parts[0] == "module" {
		result.module = strings.TrimPrefix(result.module+".module."+parts[1], ".")
		parts = parts[2:]
	}
	if len(parts) > 2 && parts[0] == "data" {
		result.data, parts = true, parts[1:]
	}
	if len(parts) < 2 {
		return result
	}
	result.kind = parts[0]
	var key string
	result.name, key, _ = strings.Cut(parts[1], "[")
	key = strings.TrimSuffix(key, "]")
	if number, err := strconv.Atoi(key); err == nil {
		result.index = number
	} else if unquoted, err := strconv.Unquote(key); err == nil {
		result.index = unquoted
	}
	return result
}

func splitAddress(text string) []string {
	var parts []string
	start, quoted := 0, false
	for i, character := range text {
		switch {
		case character == '"':
			quoted = !quoted
		case character == '.' && !quoted:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}
