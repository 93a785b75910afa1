package v4

import (
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
)

// storageContainerRoutes adds the operations that read storage containers.
func (api *API) storageContainerRoutes(r *Router) {
	const path = "config/storage-containers"
	r.Handle("GET", "clustermgmt", path, clusterTypes+"ListStorageContainersApiResponse", api.listStorageContainers)
	r.Handle("GET", "clustermgmt", path+"/{extId}", clusterTypes+"GetStorageContainerApiResponse", api.getStorageContainer)
}

func storageContainerObject(r *Request, pe *inventory.PrismElement, container *inventory.StorageContainer) Object {
	return Typed(clusterTypes+"StorageContainer", Object{
		"extId": container.UUID, "containerExtId": container.UUID, "name": container.Name, "clusterExtId": pe.UUID, "clusterName": pe.Name,
		"replicationFactor": 2, "isInternal": false, "isMarkedForRemoval": false, "isCompressionEnabled": true, "isEncrypted": false,
		"links": SelfLinks(r, "config/storage-containers/"+container.UUID),
	})
}

// storageContainerObjects returns the storage containers of all Prism Elements. The caller must hold the mutex.
func (api *API) storageContainerObjects(r *Request) []Object {
	items := []Object{}
	for _, pe := range api.PrismElements {
		for i := range pe.StorageContainers {
			items = append(items, storageContainerObject(r, pe, &pe.StorageContainers[i]))
		}
	}
	return items
}

var storageContainerListing = Listing{
	Filters: []string{"extId", "containerExtId", "name", "clusterExtId", "clusterName", "replicationFactor", "isInternal", "isMarkedForRemoval"},
	Orders:  []string{"name", "clusterExtId", "clusterName"},
}

func (api *API) listStorageContainers(r *Request) (*Response, error) {
	api.Mu.Lock()
	items := api.storageContainerObjects(r)
	api.Mu.Unlock()
	return storageContainerListing.Respond(r, items)
}

func (api *API) getStorageContainer(r *Request) (*Response, error) {
	id := strings.ToLower(r.PathValue("extId"))
	api.Mu.Lock()
	defer api.Mu.Unlock()
	for _, item := range api.storageContainerObjects(r) {
		if item["extId"] == id {
			return &Response{Data: item, ETag: model.Revision(0).ETag()}, nil
		}
	}
	return nil, NoSuchEntity("CLU-10204", "Storage container", id)
}
