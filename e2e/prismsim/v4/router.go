// Package v4 implements the v4 API except its namespaces vmm and networking. It routes requests, evaluates queries, and
// serves the namespaces clustermgmt, prism and volumes.
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

// hiddenRefusal returns the error response to a request for a hidden entity.
func hiddenRefusal(r model.Rights, kind, id string) *Error {
	switch {
	case r.Status == http.StatusForbidden:
		return AsError(r.Refusal(kind, id))
	case kind == "vm":
		return NoSuchVM(id)
	}
	return NoSuchEntity("PLAT-10001", kind, id)
}

// prismRoutes adds the operations of the prism namespace: tasks and categories.
func (api *API) prismRoutes(r *Router) {
	const ns, types = "prism", "prism.v4.config."
	r.Handle("GET", ns, "config/tasks", types+"ListTasksApiResponse", api.listTasks)
	r.Handle("GET", ns, "config/tasks/{extId}", types+"GetTaskApiResponse", api.getTask)
	r.Handle("GET", ns, "config/categories", types+"ListCategoriesApiResponse", api.listCategories)
	r.Handle("POST", ns, "config/categories", types+"CreateCategoryApiResponse", api.createCategory)
	r.Handle("GET", ns, "config/categories/{extId}", types+"GetCategoryApiResponse", api.getCategory)
	r.Handle("PUT", ns, "config/categories/{extId}", types+"UpdateCategoryApiResponse", api.updateCategory)
	r.Handle("DELETE", ns, "config/categories/{extId}", types+"DeleteCategoryApiResponse", api.deleteCategory)
}

// namespaces are the namespaces that the server provides below /api/<namespace>/<version>/, with the newest minor
// version of v4 that the server can provide in each.
var namespaces = map[string]int{"vmm": 2, "clustermgmt": 2, "prism": 3, "networking": 3, "volumes": 2}

// Request is an HTTP request to an operation of the v4 API.
type Request struct {
	*http.Request
	Namespace string
	Minor     int // minor version in the path: 0 for v4.0
	Rules     model.Rules
	kind      string       // kind of the entities in the list
	rights    model.Rights // rights of the account
}

// Endpoint handles a request. It returns a response, or an *Error if it rejects the request.
type Endpoint func(r *Request) (*Response, error)

// API serves the v4 API.
type API struct {
	*model.Central
	minor    int // minor version in the APIVersion of the inventory
	requests requestMemory
}

// New returns the v4 API of the Prism Central e, with all versions up to the APIVersion in the inventory.
func New(e *model.Central) *API {
	minor, _ := strconv.Atoi(strings.TrimPrefix(e.PrismCentral.APIVersion, "v4.")) // validated with the inventory
	return &API{Central: e, minor: minor}
}

// newest returns the newest minor version that the server provides in a namespace.
func (api *API) newest(namespace string) int { return min(api.minor, namespaces[namespace]) }

// Router adds operations to an HTTP server.
type Router struct {
	api *API
	mux *http.ServeMux
}

var pathPattern = regexp.MustCompile(`^/api/(vmm|clustermgmt|prism|networking|volumes)/(?:v4\.(\d+)/|unversioned/)`)

// splitPath returns the namespace and the minor version in a v4 path.
func splitPath(path string) (namespace string, minor int, ok bool) {
	match := pathPattern.FindStringSubmatch(path)
	if match == nil {
		return "", 0, false
	}
	minor, err := strconv.Atoi(match[2])
	if err != nil {
		minor = namespaces[match[1]]
	}
	return match[1], minor, true
}

// Register adds the operations of the v4 API. The functions in further add the operations of namespaces that other
// packages implement.
func (api *API) Register(mux *http.ServeMux, further ...func(*Router)) {
	r := &Router{api: api, mux: mux}
	for namespace := range namespaces {
		mux.HandleFunc("/api/"+namespace+"/", missingURL)
		mux.HandleFunc("OPTIONS /api/"+namespace+"/unversioned/info", api.versionInfo(namespace))
	}
	for _, add := range []func(*Router){
		api.prismRoutes, api.domainManagerRoutes, api.volumeRoutes, api.clusterRoutes, api.storageContainerRoutes, api.gpuProfileRoutes,
	} {
		add(r)
	}
	for _, add := range further {
		add(r)
	}
}

// versionInfo returns the handler of OPTIONS requests for unversioned/info of a namespace. The SDKs use the newest
// version in the response.
func (api *API) versionInfo(namespace string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if rules, _ := api.SettingsFor(""); rules.NoVersionInfo {
			missingURL(w, r)
			return
		}
		wire.WriteJSON(w, http.StatusOK, map[string]string{"data": "v4." + strconv.Itoa(api.newest(namespace))})
	}
}

// Handle adds an operation to all supported versions. path is relative to the version, for example
// "ahv/config/vms/{extId}". responseType is the type of the response envelope.
func (r *Router) Handle(method, namespace, path, responseType string, e Endpoint) {
	r.HandleSince(0, method, namespace, path, responseType, e)
}

// HandleSince adds an operation to the minor version since and all newer versions.
func (r *Router) HandleSince(since int, method, namespace, path, responseType string, e Endpoint) {
	for minor := since; minor <= r.api.newest(namespace); minor++ {
		kind, of := model.KindOf(path), model.KindOf(beforeID(path))
		pattern := method + " /api/" + namespace + "/v4." + strconv.Itoa(minor) + "/" + path
		r.mux.HandleFunc(pattern, func(w http.ResponseWriter, plain *http.Request) {
			plain.Body = http.MaxBytesReader(w, plain.Body, wire.MaxBody)
			request := &Request{Request: plain, Namespace: namespace, Minor: minor, kind: kind}
			request.Rules, request.rights = r.api.SettingsFor(auth.Account(plain.Context()))
			r.api.requests.handle(w, request, func(w http.ResponseWriter) {
				response, err := request.restricted(of, e)
				if err != nil {
					AsError(err).write(w, request, responseType)
					return
				}
				response.write(w, request, responseType)
			})
		})
	}
}

// restricted calls next unless the requested entity is hidden from the account. For a hidden entity it returns an
// error.
func (r *Request) restricted(kind string, next Endpoint) (*Response, error) {
	if id := r.PathValue("extId"); id != "" && r.rights.Hides(kind, id) {
		return nil, hiddenRefusal(r.rights, kind, id)
	}
	if id := r.PathValue("vmExtId"); id != "" && r.rights.Hides("vm", id) {
		return nil, hiddenRefusal(r.rights, "vm", id)
	}
	return next(r)
}

// beforeID returns the part of path before {extId}, which is the path of the collection.
func beforeID(path string) string {
	before, _, _ := strings.Cut(path, "/{extId}")
	return before
}

// Decode decodes a JSON body, for example into a model of the SDK.
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
