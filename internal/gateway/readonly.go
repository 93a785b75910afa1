package gateway

import (
	"net/http"
	"strings"
)

// allowedWhilePlanning reports whether a planning run may send a request, because the request cannot change anything in Prism
// Central. Allowed are GET, HEAD, OPTIONS, and the v3 lists, which are POST requests. Providers 1.9.5 and 2.4.2 send no other
// requests while they plan. transport.IsRetryable decides independently which requests are retried.
//
// The path is compared as it was sent, so that a path with an escaped slash or a dot segment cannot be mistaken for a list.
func allowedWhilePlanning(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	case http.MethodPost:
		path := req.URL.EscapedPath()
		return strings.HasPrefix(path, "/api/nutanix/v3/") && strings.HasSuffix(path, "/list") && !hasDotSegment(req.URL.Path)
	}
	return false
}

// hasDotSegment reports whether a path contains "." or ".." as a segment. Prism Central may resolve such a path to another one.
func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}
