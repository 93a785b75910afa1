package gateway

import (
	"net/http"
	"strings"
)

// allowedWhilePlanning reports whether a planning run may send req, because req cannot change anything in Prism Central. It allows GET,
// OPTIONS and, for APIs other than v4, HEAD and the v3 lists, which are POST requests. Providers 1.9.5 and 2.4.2 send no other requests
// while they plan. The rules for retries are separate (transport.IsRetryable).
//
// The path is compared in its escaped form, so that a path with an escaped slash or a dot segment does not match a list.
func allowedWhilePlanning(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodOptions:
		return true
	case http.MethodHead:
		return apiOf(req) != apiV4
	case http.MethodPost:
		path := req.URL.EscapedPath()
		return strings.HasPrefix(path, "/api/nutanix/v3/") && strings.HasSuffix(path, "/list") && !hasDotSegment(req.URL.Path)
	}
	return false
}

// hasDotSegment reports whether path contains the segment "." or "..". Prism Central may resolve such a path to another one.
func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}
