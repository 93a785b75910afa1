package gateway

import (
	"net/http"
	"regexp"
)

// vmPath matches the path of one VM in the v3 API and in any v4 version of the API, and captures its UUID.
var vmPath = regexp.MustCompile(`^/api/(?:nutanix/v3/vms|vmm/v4\.[0-9a-z.]+/ahv/config/vms)/([0-9A-Za-z-]+)$`)

// reportDeletion calls Deleted with the UUID of the VM if resp accepts its deletion. A successful run is not sufficient evidence of a
// deletion, because the provider also treats a 404 as success.
func (s *Session) reportDeletion(resp *http.Response) {
	if s.options.Deleted == nil || resp.Request.Method != http.MethodDelete || resp.StatusCode >= http.StatusMultipleChoices {
		return
	}
	if match := vmPath.FindStringSubmatch(resp.Request.URL.Path); match != nil {
		s.options.Deleted(match[1])
	}
}
