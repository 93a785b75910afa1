package transport

import (
	"net/http"
	"strings"
)

const v3Prefix = "/api/nutanix/v3/"

// IsRead says whether a request can change nothing in Prism Central: GET, HEAD and OPTIONS, and the v3 lists, which are
// POST requests. (While planning, provider 1.9.5 sends nothing else; provider 2.4.2 neither.) The path is taken as it is
// sent: an escaped slash or a dot segment does not make a list of something else.
func IsRead(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	case http.MethodPost:
		path := req.URL.EscapedPath()
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

// repeatable says whether a request can be sent a second time: a read whose body, if it has one, can be had again. The
// groups query reads as well; it is none of IsRead because a plan has no use for it.
func repeatable(req *http.Request) bool {
	read := IsRead(req) || req.Method == http.MethodPost && req.URL.EscapedPath() == v3Prefix+"groups"
	return read && (req.Body == nil || req.Body == http.NoBody || req.GetBody != nil)
}

// Again returns a copy of a repeatable request with a fresh body.
func Again(req *http.Request) (*http.Request, error) {
	again := req.Clone(req.Context())
	if req.GetBody == nil {
		return again, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	again.Body = body
	return again, nil
}
