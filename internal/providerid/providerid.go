// Package providerid is the one codec for the provider ID of a node: nutanix://<VM UUID>. It is used wherever a
// provider ID is written or read, and reads every form that identifies a VM.
package providerid

import (
	"regexp"
	"strings"
)

// Prefix precedes the UUID in a provider ID. The cloud controller manager writes the same into Node.spec.providerID.
const Prefix = "nutanix://"

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// nilUUID is what placeholders use; Prism never gives it to a VM.
const nilUUID = "00000000-0000-0000-0000-000000000000"

// Format returns the provider ID of the VM with that UUID. Case is normalised, because Prism and the firmware of a
// guest write the same UUID in different case and Cluster API compares provider IDs as plain text.
func Format(vmUUID string) string {
	return Prefix + strings.ToLower(vmUUID)
}

// Parse returns the UUID, in lower case, of the VM that a provider ID identifies. It is not ok when the text has
// another scheme or no UUID, as the placeholders in some machine templates: those never identify a VM.
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
