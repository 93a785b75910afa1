// Package providerid formats and parses the provider ID of a Node, nutanix://<VM UUID>. All other packages use it to read or write
// provider IDs.
package providerid

import (
	"regexp"
	"strings"
)

// Prefix is the part of a provider ID before the UUID. The cloud controller manager uses the same format in Node.spec.providerID.
const Prefix = "nutanix://"

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// nilUUID is a placeholder. Prism Central never assigns this UUID to a VM.
const nilUUID = "00000000-0000-0000-0000-000000000000"

// Format returns the provider ID of the VM with the UUID vmUUID. The UUID in the result is in lower case, because Prism Central and the
// firmware of a guest use different cases and Cluster API compares provider IDs as strings.
func Format(vmUUID string) string {
	return Prefix + strings.ToLower(vmUUID)
}

// Parse returns the VM UUID in the provider ID s, in lower case. ok is false if s has another scheme. It is also false for a placeholder
// without a UUID, which some machine templates contain.
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
