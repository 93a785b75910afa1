package v4

import (
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/model"
)

const domainManagerTypes = "prism.v4.config."

// domainManagerRoutes adds the operations that read the domain manager, which is Prism Central itself.
func (api *API) domainManagerRoutes(r *Router) {
	const path = "config/domain-managers"
	r.Handle("GET", "prism", path, domainManagerTypes+"ListDomainManagerApiResponse", api.listDomainManagers)
	r.Handle("GET", "prism", path+"/{extId}", domainManagerTypes+"GetDomainManagerApiResponse", api.getDomainManager)
}

// domainManagerObject returns Prism Central as a domain manager. The caller must hold the mutex.
func (api *API) domainManagerObject(r *Request) Object {
	pc := api.PrismCentral
	build := Typed("clustermgmt.v4.config.BuildInfo", Object{"version": pc.Version})
	return Typed(domainManagerTypes+"DomainManager", Object{
		"extId": pc.UUID, "isRegisteredWithHostingCluster": true, "hostingClusterExtId": api.PrismElements[0].UUID,
		"config":                       Typed(domainManagerTypes+"DomainManagerClusterConfig", Object{"name": pc.Name, "size": "SMALL", "buildInfo": build}),
		"network":                      Typed(domainManagerTypes+"DomainManagerNetwork", Object{"externalAddress": ipAddress("127.0.0.1")}),
		"shouldEnableHighAvailability": false, "links": SelfLinks(r, "config/domain-managers/"+pc.UUID),
	})
}

func (api *API) listDomainManagers(r *Request) (*Response, error) {
	api.Mu.Lock()
	items := []Object{api.domainManagerObject(r)}
	api.Mu.Unlock()
	return Listing{}.Respond(r, items)
}

func (api *API) getDomainManager(r *Request) (*Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	if id := strings.ToLower(r.PathValue("extId")); id != api.PrismCentral.UUID {
		return nil, NoSuchEntity("DOM-10001", "Domain manager", id)
	}
	return &Response{Data: api.domainManagerObject(r), ETag: model.Revision(0).ETag()}, nil
}
