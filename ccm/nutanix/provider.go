package nutanix

import (
	"slices"
	"strings"

	"github.com/capnt/capnt/internal/providerid"
)

// providerAttribute is the key of the custom attribute "providerID:<UUID>": the provider ID that a virtual machine had before it
// failed over to another site, where it got a new UUID. CAPX writes the key in lower case.
const providerAttribute = "providerID"

// ProviderUUID is the UUID that stands in the provider ID of a virtual machine's node.
func (vm VM) ProviderUUID() string {
	value := strings.ToLower(vm.Attribute(providerAttribute))
	if value == "" {
		return vm.UUID
	}
	if uuid, ok := providerid.Parse(providerid.Prefix + strings.TrimPrefix(value, providerid.Prefix)); ok {
		return uuid
	}
	return vm.UUID
}

// Attribute is the value of the first custom attribute "key:value" of one of the keys, whatever their case; "" when there is none.
func (vm VM) Attribute(keys ...string) string {
	for _, text := range vm.CustomAttributes {
		key, value, ok := strings.Cut(text, ":")
		if ok && slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, strings.TrimSpace(key)) }) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
