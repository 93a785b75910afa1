package renderer

import (
	"bytes"
	"regexp"
)

var (
	// hostNamePattern matches the jinja expression that bootstrap data of kubeadm usually contains. It does not match expressions
	// with filters or whitespace control. cloud-init renders those.
	hostNamePattern = regexp.MustCompile(`\{\{\s*ds\.meta_data\.hostname\s*\}\}`)

	// headerPattern matches a first line with which cloud-init renders the rest as a jinja template.
	headerPattern = regexp.MustCompile(`(?i)\A##[ \t]*template:[ \t]*jinja[ \t]*\r?\n`)
)

// MaxUserDataBytes is the maximum size of user data that AHV accepts: 32 KiB (CAPX#406, terraform-provider-nutanix#634). The size
// is that of the data that cloud-init reads in the guest, before base64. The sources do not say whether Prism Central counts bytes
// before or after base64. Counting before base64 refuses no user data that Prism Central accepts.
const MaxUserDataBytes = 32 << 10

// UserData replaces {{ ds.meta_data.hostname }} in bootstrap data with the host name. AOS 7.3 rejects user data that is not plain
// cloud-config, and usually this expression is the only template expression. UserData also removes the line "## template: jinja"
// if no other jinja is left. All other bytes stay the same.
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
