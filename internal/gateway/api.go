package gateway

import (
	"net/http"
	"regexp"
)

// Generations of the API of Prism Central, as values of a metric label.
const (
	apiV3    = "v3"
	apiV4    = "v4"
	apiOther = "other"
)

var (
	v3Path = regexp.MustCompile(`^/api/nutanix/v3/`)
	// v4Path matches the paths of all namespaces and versions of the v4 API, and of the requests for the version of a namespace.
	v4Path = regexp.MustCompile(`^/api/[0-9a-z-]+/(?:v4\.[0-9a-z.]+|unversioned)/`)
)

// apiOf returns the generation of the API that a request uses.
func apiOf(req *http.Request) string {
	switch path := req.URL.Path; {
	case v3Path.MatchString(path):
		return apiV3
	case v4Path.MatchString(path):
		return apiV4
	}
	return apiOther
}
