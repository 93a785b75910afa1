package v4

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/model"
)

const (
	volumeTypes = "volumes.v4.config."
	// relVolumeGroup is the type of a volume group in the entities of a task.
	relVolumeGroup = "volumes:config:volume-group"
)

// volumeRoutes adds the operations of the volumes namespace for volume groups and VMs.
func (api *API) volumeRoutes(r *Router) {
	const ns, groups = "volumes", "config/volume-groups"
	r.Handle("GET", ns, groups, volumeTypes+"ListVolumeGroupsApiResponse", api.listVolumeGroups)
	r.Handle("GET", ns, groups+"/{extId}", volumeTypes+"GetVolumeGroupApiResponse", api.getVolumeGroup)
	r.Handle("GET", ns, groups+"/{extId}/vm-attachments", volumeTypes+"ListVmAttachmentsApiResponse", api.listVMAttachments)
	r.Handle("POST", ns, groups+"/{extId}/$actions/attach-vm", volumeTypes+"AttachVmApiResponse", api.attachVM)
	r.Handle("POST", ns, groups+"/{extId}/$actions/detach-vm", volumeTypes+"DetachVmApiResponse", api.detachVM)
}

// volumeGroup returns the volume group with the ID in the path of a request. No public record of the real error codes
// was found, so this package defines them. The caller must hold the mutex.
func (api *API) volumeGroup(r *Request) (*model.VolumeGroup, error) {
	id := strings.ToLower(r.PathValue("extId"))
	if g := api.VolumeGroupByUUID(id); g != nil {
		return g, nil
	}
	return nil, NoSuchEntity("VOL-40100", "Volume group", id)
}

func (api *API) volumeGroupObject(r *Request, g *model.VolumeGroup) Object {
	return Typed(volumeTypes+"VolumeGroup", Object{
		"extId": g.UUID, "name": g.Name, "clusterReference": g.PrismElement.UUID, "sharingStatus": "SHARED", "usageType": "USER",
		"isHidden": false, "shouldLoadBalanceVmAttachments": false, "links": SelfLinks(r, "config/volume-groups/"+g.UUID),
	})
}

var volumeGroupListing = Listing{Filters: []string{"extId", "name", "clusterReference"}, Orders: []string{"extId", "name"}}

func (api *API) listVolumeGroups(r *Request) (*Response, error) {
	api.Mu.Lock()
	items := []Object{}
	for _, g := range api.VolumeGroups.Listed(r.Rules.Lag("volume_group")) {
		items = append(items, api.volumeGroupObject(r, g))
	}
	api.Mu.Unlock()
	return volumeGroupListing.Respond(r, items)
}

func (api *API) getVolumeGroup(r *Request) (*Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	g, err := api.volumeGroup(r)
	if err != nil {
		return nil, err
	}
	return &Response{Data: api.volumeGroupObject(r, g), ETag: model.Revision(0).ETag()}, nil
}

var attachmentListing = Listing{Filters: []string{"extId"}, Orders: []string{"extId"}}

func (api *API) listVMAttachments(r *Request) (*Response, error) {
	api.Mu.Lock()
	g, err := api.volumeGroup(r)
	if err != nil {
		api.Mu.Unlock()
		return nil, err
	}
	items := []Object{}
	for _, m := range api.AttachedTo(g) {
		items = append(items, Typed(volumeTypes+"VmAttachment", Object{"extId": m.UUID}))
	}
	api.Mu.Unlock()
	return attachmentListing.Respond(r, items)
}

// vmAttachment is the body of attach-vm and detach-vm requests.
type vmAttachment struct {
	ExtID string `json:"extId"`
}

func (api *API) attachVM(r *Request) (*Response, error) {
	return api.changeAttachment(r, "VolumeGroupAttachVm", func(m *model.VM, g *model.VolumeGroup) *model.TaskError {
		if m.VolumeGroupAddress(g) != "" {
			return attachmentError("VG is attached to VM " + m.UUID + " already").Fails()
		}
		m.Attach(g)
		return nil
	})
}

func attachmentError(message string) *Error {
	return &Error{Status: http.StatusConflict, Code: "VOL-40200", Group: "VOLUME_GROUP_ATTACHMENT_ERROR", Message: message}
}

func (api *API) detachVM(r *Request) (*Response, error) {
	return api.changeAttachment(r, "VolumeGroupDetachVm", func(m *model.VM, g *model.VolumeGroup) *model.TaskError {
		if text := api.RefuseDetach(m.VolumeGroupAddress(g), model.RefusedByTask); text != "" {
			return attachmentError(text).Fails()
		}
		if !m.Detach(g) {
			return attachmentError("VG does not have VM attachment " + m.UUID).Fails()
		}
		return nil
	})
}

// changeAttachment starts the task of an attach-vm or detach-vm request.
func (api *API) changeAttachment(r *Request, operation string, change func(*model.VM, *model.VolumeGroup) *model.TaskError) (*Response, error) {
	var body vmAttachment
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	if uuid.Validate(body.ExtID) != nil {
		return nil, InvalidBody("extId", "%q is not a UUID", body.ExtID)
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	g, err := api.volumeGroup(r)
	if err != nil {
		return nil, err
	}
	id := strings.ToLower(body.ExtID)
	if m := api.VMByUUID(id); m != nil && m.Exists && operation == "VolumeGroupDetachVm" {
		if text := api.RefuseDetach(m.VolumeGroupAddress(g), model.RefusedByRequest); text != "" {
			return nil, attachmentError(text)
		}
	}
	return Accepted(api.Order(r.Context(), r.Namespace, model.Order{
		Operation: operation, Description: operation, Duration: api.Latency.Update, PrismElements: []string{g.PrismElement.UUID},
		Entities: []model.TaskEntity{{UUID: g.UUID, Rel: relVolumeGroup, Name: g.Name}, {UUID: id, Rel: model.RelVM}},
		Work: func(*model.Task) *model.TaskError {
			m := api.VMByUUID(id)
			if m == nil || !m.Exists {
				return NoSuchVM(id).Fails()
			}
			if failed := change(m, g); failed != nil {
				return failed
			}
			m.AttachmentChanged(api.Rules)
			m.V4.Revision++
			return nil
		},
	})), nil
}
