package transport

import (
	"net/http"
	"strings"
)

const v3Prefix = "/api/nutanix/v3/"

// IsRetryable reports whether a request may be sent again after a failure, because it only reads data. It returns true for GET, HEAD and
// OPTIONS, and for the v3 lists and the v3 groups query, which are POST requests. The rules for planning runs are separate
// (internal/gateway).
//
// The path is compared in its escaped form, so that a path with an escaped slash or a dot segment does not match a list.
func IsRetryable(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	case http.MethodPost:
		path := req.URL.EscapedPath()
		if path == v3Prefix+"groups" {
			return true
		}
		return strings.HasPrefix(path, v3Prefix) && strings.HasSuffix(path, "/list") && !hasDotSegment(req.URL.Path)
	}
	return false
}

func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// hasReplayableBody reports whether the body of a request can be sent again.
func hasReplayableBody(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
}

// CloneWithBody returns a copy of req. If req.GetBody is set, the copy has a new body.
func CloneWithBody(req *http.Request) (*http.Request, error) {
	clone := req.Clone(req.Context())
	if req.GetBody == nil {
		return clone, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	clone.Body = body
	return clone, nil
}
