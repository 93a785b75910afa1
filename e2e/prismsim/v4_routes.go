package prismsim

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// v4Namespaces are those that are served, each below /api/<namespace>/<version>/.
var v4Namespaces = []string{"vmm", "clustermgmt", "prism", "networking", "volumes"}

// highestMinor is the newest v4 minor version that can be served.
const highestMinor = 2

// v4Request is a request to an operation of the v4 API.
type v4Request struct {
	*http.Request
	namespace string
	minor     int    // of the version in the path: 0 for v4.0
	kind      string // of the entities that a list shows
	rules     Rules
	rights    Rights // of the account
}

// v4Endpoint answers one request, or refuses it with a *v4Error.
type v4Endpoint func(r *v4Request) (*v4Answer, error)

// v4API serves the v4 API.
type v4API struct {
	*estate
	minor int // newest minor version that is served
	once  onceMemory
}

// v4Router adds v4 operations to the routes.
type v4Router struct {
	api *v4API
	mux *http.ServeMux
}

var v4PathPattern = regexp.MustCompile(`^/api/(vmm|clustermgmt|prism|networking|volumes)/(?:v4\.(\d+)/|unversioned/)`)

// v4Path gives namespace and minor version of a v4 path.
func v4Path(path string) (namespace string, minor int, ok bool) {
	match := v4PathPattern.FindStringSubmatch(path)
	if match == nil {
		return "", 0, false
	}
	minor, err := strconv.Atoi(match[2])
	if err != nil {
		minor = highestMinor
	}
	return match[1], minor, true
}

// v4Routes adds the v4 API. What is in no pattern is answered as the web server does.
func (api *v4API) routes(mux *http.ServeMux, further ...func(*v4Router)) {
	r := &v4Router{api: api, mux: mux}
	for _, namespace := range v4Namespaces {
		mux.HandleFunc("/api/"+namespace+"/", missingURL)
		mux.HandleFunc("OPTIONS /api/"+namespace+"/unversioned/info", api.v4Info)
	}
	api.v4PrismRoutes(r)
	api.v4VMRoutes(r)
	api.v4VolumeRoutes(r)
	api.v4ClusterRoutes(r)
	for _, add := range further {
		add(r)
	}
}

// v4Info tells the SDKs the newest version that is served, by which they choose theirs.
func (api *v4API) v4Info(w http.ResponseWriter, r *http.Request) {
	if rules, _ := api.settingsFor(""); rules.NoVersionInfo {
		missingURL(w, r)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"data": "v4." + strconv.Itoa(api.minor)})
}

// handle adds an operation for all versions that are served. The path is relative to the version, for example
// "ahv/config/vms/{extId}"; responseType is the type of the answer's envelope.
func (r *v4Router) handle(method, namespace, path, responseType string, e v4Endpoint) {
	r.handleSince(0, method, namespace, path, responseType, e)
}

// handleSince adds an operation that exists since a minor version.
func (r *v4Router) handleSince(since int, method, namespace, path, responseType string, e v4Endpoint) {
	for minor := since; minor <= r.api.minor; minor++ {
		kind, of := kindOf(path), kindOf(beforeID(path))
		pattern := method + " /api/" + namespace + "/v4." + strconv.Itoa(minor) + "/" + path
		r.mux.HandleFunc(pattern, func(w http.ResponseWriter, plain *http.Request) {
			plain.Body = http.MaxBytesReader(w, plain.Body, maxBody)
			request := &v4Request{Request: plain, namespace: namespace, minor: minor, kind: kind}
			request.rules, request.rights = r.api.settingsFor(accountOf(plain.Context()))
			r.api.once.do(w, request, func(w http.ResponseWriter) {
				answer, err := request.restricted(of, e)
				if err != nil {
					asV4Error(err).write(w, request, responseType)
					return
				}
				answer.write(w, request, responseType)
			})
		})
	}
}

// restricted answers the request unless it is about what the account does not see.
func (r *v4Request) restricted(kind string, next v4Endpoint) (*v4Answer, error) {
	if id := r.PathValue("extId"); id != "" && r.rights.hides(kind, id) {
		return nil, v4RightsRefusal(r.rights, kind, id)
	}
	return next(r)
}

// beforeID returns the path of the collection that {extId} is in.
func beforeID(path string) string {
	before, _, _ := strings.Cut(path, "/{extId}")
	return before
}

// decode reads a JSON body, for example into a model of the SDK.
func (r *v4Request) decode(into any) error {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return invalidBody("", "Request body could not be read.")
	}
	if len(strings.TrimSpace(string(raw))) == 0 {
		return invalidBody("", "A request body is required but none found.")
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return invalidBody("", "Unable to parse JSON - %s", err)
	}
	return nil
}

// parseMinor reads the newest version to serve: "v4.0" to "v4.2".
func parseMinor(version string) (int, bool) {
	text, isV4 := strings.CutPrefix(version, "v4.")
	minor, err := strconv.Atoi(text)
	return minor, isV4 && err == nil && minor >= 0 && minor <= highestMinor
}
