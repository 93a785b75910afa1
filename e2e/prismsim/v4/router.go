// Package v4 is the v4 API without its networking namespace: how requests are routed and queried, and the namespaces vmm,
// clustermgmt, prism and volumes.
package v4

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/auth"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// hiddenRefusal returns the refusal of a request for a hidden entity.
func hiddenRefusal(r model.Rights, kind, id string) *Error {
	switch {
	case r.Status == http.StatusForbidden:
		return asV4Error(r.Refusal(kind, id))
	case kind == "vm":
		return noSuchVM(id)
	}
	return noSuchEntity("PLAT-10001", kind, id)
}

// prismRoutes adds the prism namespace: tasks and categories.
func (api *API) prismRoutes(r *Router) {
	const ns, types = "prism", "prism.v4.config."
	r.Handle("GET", ns, "config/tasks", types+"ListTasksApiResponse", api.listTasks)
	r.Handle("GET", ns, "config/tasks/{extId}", types+"GetTaskApiResponse", api.getTask)
	r.Handle("GET", ns, "config/categories", types+"ListCategoriesApiResponse", api.listCategories)
	r.Handle("POST", ns, "config/categories", types+"CreateCategoryApiResponse", api.createCategory)
	r.Handle("GET", ns, "config/categories/{extId}", types+"GetCategoryApiResponse", api.getCategory)
	r.Handle("DELETE", ns, "config/categories/{extId}", types+"DeleteCategoryApiResponse", api.deleteCategory)
}

// namespaces are the namespaces that are served below /api/<namespace>/<version>/.
var namespaces = []string{"vmm", "clustermgmt", "prism", "networking", "volumes"}

// highestMinor is the newest v4 minor version that can be served.
const highestMinor = 2

// Request is a request to an operation of the v4 API.
type Request struct {
	*http.Request
	Namespace string
	Minor     int    // minor version in the path: 0 for v4.0
	kind      string // kind of the entities in the list
	rules     model.Rules
	rights    model.Rights // rights of the account
}

// Endpoint handles a request. It returns a response, or an *Error to refuse the request.
type Endpoint func(r *Request) (*Response, error)

// API serves the v4 API.
type API struct {
	*model.Central
	minor    int // newest minor version that is served
	requests requestMemory
}

// New returns the v4 API of a Prism Central, up to the version in its inventory.
func New(e *model.Central) *API {
	minor, _ := parseMinor(e.PrismCentral.APIVersion) // checked with the inventory
	return &API{Central: e, minor: minor}
}

// Router registers operations.
type Router struct {
	api *API
	mux *http.ServeMux
}

var pathPattern = regexp.MustCompile(`^/api/(vmm|clustermgmt|prism|networking|volumes)/(?:v4\.(\d+)/|unversioned/)`)

// splitPath returns namespace and minor version of a v4 path.
func splitPath(path string) (namespace string, minor int, ok bool) {
	match := pathPattern.FindStringSubmatch(path)
	if match == nil {
		return "", 0, false
	}
	minor, err := strconv.Atoi(match[2])
	if err != nil {
		minor = highestMinor
	}
	return match[1], minor, true
}

// Register adds the operations of the v4 API. The functions in further add operations of namespaces in other
// packages.
func (api *API) Register(mux *http.ServeMux, further ...func(*Router)) {
	r := &Router{api: api, mux: mux}
	for _, namespace := range namespaces {
		mux.HandleFunc("/api/"+namespace+"/", missingURL)
		mux.HandleFunc("OPTIONS /api/"+namespace+"/unversioned/info", api.versionInfo)
	}
	api.prismRoutes(r)
	api.vmRoutes(r)
	api.volumeRoutes(r)
	api.clusterRoutes(r)
	for _, add := range further {
		add(r)
	}
}

// versionInfo handles OPTIONS of unversioned/info. The SDKs choose their version by the newest version that is served.
func (api *API) versionInfo(w http.ResponseWriter, r *http.Request) {
	if rules, _ := api.SettingsFor(""); rules.NoVersionInfo {
		missingURL(w, r)
		return
	}
	wire.WriteJSON(w, http.StatusOK, map[string]string{"data": "v4." + strconv.Itoa(api.minor)})
}

// Handle adds an operation to all versions that are served. The path is relative to the version, for example
// "ahv/config/vms/{extId}". responseType is the type of the response's envelope.
func (r *Router) Handle(method, namespace, path, responseType string, e Endpoint) {
	r.handleSince(0, method, namespace, path, responseType, e)
}

// handleSince adds an operation that exists since a minor version.
func (r *Router) handleSince(since int, method, namespace, path, responseType string, e Endpoint) {
	for minor := since; minor <= r.api.minor; minor++ {
		kind, of := model.KindOf(path), model.KindOf(beforeID(path))
		pattern := method + " /api/" + namespace + "/v4." + strconv.Itoa(minor) + "/" + path
		r.mux.HandleFunc(pattern, func(w http.ResponseWriter, plain *http.Request) {
			plain.Body = http.MaxBytesReader(w, plain.Body, wire.MaxBody)
			request := &Request{Request: plain, Namespace: namespace, Minor: minor, kind: kind}
			request.rules, request.rights = r.api.SettingsFor(auth.Account(plain.Context()))
			r.api.requests.handle(w, request, func(w http.ResponseWriter) {
				response, err := request.restricted(of, e)
				if err != nil {
					asV4Error(err).write(w, request, responseType)
					return
				}
				response.write(w, request, responseType)
			})
		})
	}
}

// restricted refuses requests for entities that are hidden from the account.
func (r *Request) restricted(kind string, next Endpoint) (*Response, error) {
	if id := r.PathValue("extId"); id != "" && r.rights.Hides(kind, id) {
		return nil, hiddenRefusal(r.rights, kind, id)
	}
	return next(r)
}

// beforeID returns the path of the collection that {extId} is in.
func beforeID(path string) string {
	before, _, _ := strings.Cut(path, "/{extId}")
	return before
}

// Decode reads a JSON body, for example into a model of the SDK.
func (r *Request) Decode(into any) error {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return InvalidBody("", "Request body could not be read.")
	}
	if len(strings.TrimSpace(string(raw))) == 0 {
		return InvalidBody("", "A request body is required but none found.")
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return InvalidBody("", "Unable to parse JSON - %s", err)
	}
	return nil
}

// parseMinor reads the newest version to serve: "v4.0" to "v4.2".
func parseMinor(version string) (int, bool) {
	text, isV4 := strings.CutPrefix(version, "v4.")
	minor, err := strconv.Atoi(text)
	return minor, isV4 && err == nil && minor >= 0 && minor <= highestMinor
}
