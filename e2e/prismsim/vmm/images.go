package vmm

import (
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
)

const imageTypes = "vmm.v4.content."

// imageRoutes adds the operations that read images.
func (api *API) imageRoutes(r *v4.Router) {
	r.Handle("GET", "vmm", "content/images", imageTypes+"ListImagesApiResponse", api.listImages)
	r.Handle("GET", "vmm", "content/images/{extId}", imageTypes+"GetImageApiResponse", api.getImage)
}

// imageObject returns an image. Every Prism Element has a copy of every image. The caller must hold the mutex.
func (api *API) imageObject(r *v4.Request, image *inventory.Image) v4.Object {
	locations := []string{}
	for _, pe := range api.PrismElements {
		locations = append(locations, pe.UUID)
	}
	return v4.Typed(imageTypes+"Image", v4.Object{
		"extId": image.UUID, "name": image.Name, "type": image.Type, "sizeBytes": image.Size.Value(), "ownerExtId": api.OwnerUUID,
		"createTime": v4.TimeText(*image.Created), "lastUpdateTime": v4.TimeText(*image.Created), "clusterLocationExtIds": locations,
		"links": v4.SelfLinks(r, "content/images/"+image.UUID),
	})
}

var imageListing = v4.Listing{
	Filters: []string{"extId", "name", "type", "sizeBytes", "createTime", "lastUpdateTime", "ownerExtId", "clusterLocationExtIds"},
	Orders:  []string{"name", "type", "sizeBytes", "createTime", "lastUpdateTime"},
}

func (api *API) listImages(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	items := []v4.Object{}
	for _, image := range api.Images.Listed(api.Rules.Lag("image")) {
		items = append(items, api.imageObject(r, image))
	}
	api.Mu.Unlock()
	return imageListing.Respond(r, items)
}

func (api *API) getImage(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	image := api.ImageByUUID(strings.ToLower(r.PathValue("extId")))
	if image == nil {
		return nil, v4.NoSuchEntity("VMM-20100", "Image", r.PathValue("extId"))
	}
	return &v4.Response{Data: api.imageObject(r, image), ETag: model.Revision(0).ETag()}, nil
}
