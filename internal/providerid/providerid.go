// Package providerid formats and parses the provider ID of a node: nutanix://<VM UUID>. All code that writes or reads a provider ID
// uses it.
package providerid

import (
	"regexp"
	"strings"
)

// Prefix precedes the UUID in a provider ID. The cloud controller manager writes the same form to Node.spec.providerID.
const Prefix = "nutanix://"

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// nilUUID is a placeholder. Prism Central never assigns it to a VM.
const nilUUID = "00000000-0000-0000-0000-000000000000"

// Format returns the provider ID of the VM with that UUID, in lower case. Prism Central and the firmware of a guest write the same
// UUID in different case, and Cluster API compares provider IDs as strings.
func Format(vmUUID string) string {
	return Prefix + strings.ToLower(vmUUID)
}

// Parse returns the UUID, in lower case, of the VM that a provider ID identifies. ok is false for another scheme, and for a
// placeholder without a UUID as in some machine templates.
func Parse(s string) (uuid string, ok bool) {
	if len(s) < len(Prefix) || !strings.EqualFold(s[:len(Prefix)], Prefix) {
		return "", false
	}
	uuid = strings.ToLower(s[len(Prefix):])
	if uuid == nilUUID || !uuidPattern.MatchString(uuid) {
		return "", false
	}
	return uuid, true
}
