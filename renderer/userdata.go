package renderer

import (
	"bytes"
	"regexp"
)

var (
	// hostNamePattern matches the jinja expression that bootstrap data for kubeadm usually contains. cloud-init renders
	// expressions with filters or whitespace control.
	hostNamePattern = regexp.MustCompile(`\{\{\s*ds\.meta_data\.hostname\s*\}\}`)

	// headerPattern matches the first line that makes cloud-init render the rest as a jinja template.
	headerPattern = regexp.MustCompile(`(?i)\A##[ \t]*template:[ \t]*jinja[ \t]*\r?\n`)
)

// MaxUserDataBytes is the largest user data that AHV accepts: 32 KiB (CAPX#406, terraform-provider-nutanix#634). It counts
// the bytes that cloud-init reads in the guest, before base64. The sources do not say whether Prism Central counts them
// before or after base64; counted before, no user data is refused here that Prism Central accepts.
const MaxUserDataBytes = 32 << 10

// UserData replaces {{ ds.meta_data.hostname }} in bootstrap data by the host name. AOS 7.3 rejects user data that is not plain
// cloud-config, and usually the data is a template because of this expression alone. UserData also removes the line
// "## template: jinja" if no other jinja is left. All other bytes stay the same.
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
