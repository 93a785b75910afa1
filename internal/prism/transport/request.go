package transport

import (
	"net/http"
	"strings"
)

const v3Prefix = "/api/nutanix/v3/"

// IsRetryable reports whether a request may be sent twice, because it only reads. Retryable are GET, HEAD and OPTIONS, and the v3
// lists and the v3 groups query, which are POST requests. internal/gateway decides independently what a planning run may send.
//
// The path is compared as it was sent, so that a path with an escaped slash or a dot segment cannot be mistaken for a list.
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

// hasReplayableBody reports whether the body of a request can be sent a second time.
func hasReplayableBody(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
}

// CloneWithBody returns a copy of a request with a new body from GetBody, if the request has one.
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
