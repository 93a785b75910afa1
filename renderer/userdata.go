package renderer

import (
	"bytes"
	"regexp"
)

var (
	// hostNamePattern matches the jinja expression that bootstrap data of kubeadm usually contains. It does not match expressions with
	// filters or whitespace control, which stay unchanged and are rendered by cloud-init.
	hostNamePattern = regexp.MustCompile(`\{\{\s*ds\.meta_data\.hostname\s*\}\}`)

	// headerPattern matches the first line of a jinja template. If user data begins with this line, cloud-init renders the rest as a
	// template.
	headerPattern = regexp.MustCompile(`(?i)\A##[ \t]*template:[ \t]*jinja[ \t]*\r?\n`)
)

// MaxUserDataBytes is the maximum size of user data that AHV accepts, 32 KiB (CAPX#406, terraform-provider-nutanix#634). It applies to
// the user data before base64 encoding. The sources do not say whether Prism Central measures the size before or after encoding.
// Measuring before encoding is the safe choice: it never rejects user data that Prism Central accepts.
const MaxUserDataBytes = 32 << 10

// UserData replaces {{ ds.meta_data.hostname }} in bootstrap data with the host name. The reason is that AOS 7.3 rejects user data that
// is not plain cloud-config, and that the bootstrap data usually contains no other template expression. If no other template syntax is
// left, UserData also removes the line "## template: jinja". All other bytes stay the same.
func UserData(bootstrap []byte, hostname string) []byte {
	rendered := hostNamePattern.ReplaceAllLiteral(bootstrap, []byte(hostname))
	header := headerPattern.Find(rendered)
	if header == nil || containsJinja(rendered[len(header):]) {
		return rendered
	}
	return rendered[len(header):]
}

func containsJinja(data []byte) bool {
	for _, opening := range []string{"{{", "{%", "{#"} {
		if bytes.Contains(data, []byte(opening)) {
			return true
		}
	}
	return false
}
