package renderer

import (
	"bytes"
	"regexp"
)

var (
	// hostNamePattern is the one jinja expression that kubeadm's bootstrap data contains by convention. Expressions with
	// filters or whitespace control are left to cloud-init.
	hostNamePattern = regexp.MustCompile(`\{\{\s*ds\.meta_data\.hostname\s*\}\}`)

	// headerPattern is the first line that makes cloud-init render the rest as a jinja template.
	headerPattern = regexp.MustCompile(`(?i)\A##[ \t]*template:[ \t]*jinja[ \t]*\r?\n`)
)

// MaxUserDataBytes is the largest user data that AHV accepts: 32 KiB (CAPX#406, terraform-provider-nutanix#634). It counts
// the bytes that cloud-init reads in the guest, before base64. The sources do not say whether Prism Central counts them
// before or after base64; counted before, no user data is refused here that Prism Central accepts.
const MaxUserDataBytes = 32 << 10

// UserData puts the host name where bootstrap data says {{ ds.meta_data.hostname }}: AOS 7.3 refuses user data that is
// no plain cloud-config, and this expression is usually the only reason for it to be a template. When no other jinja is
// left, the "## template: jinja" line goes too. Everything else stays byte for byte.
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
