package prismsim

import (
	"net/http"
	"strings"

	"github.com/google/uuid"
)

const (
	volumeTypes = "volumes.v4.config."
	// relVolumeGroup is the type of a volume group in the entities of a task.
	relVolumeGroup = "volumes:config:volume-group"
)

// v4VolumeRoutes adds what the volumes namespace has for volume groups and VMs.
func (api *v4API) v4VolumeRoutes(r *v4Router) {
	const ns, groups = "volumes", "config/volume-groups"
	r.handle("GET", ns, groups, volumeTypes+"ListVolumeGroupsApiResponse", api.v4ListVolumeGroups)
	r.handle("GET", ns, groups+"/{extId}", volumeTypes+"GetVolumeGroupApiResponse", api.v4GetVolumeGroup)
	r.handle("GET", ns, groups+"/{extId}/vm-attachments", volumeTypes+"ListVmAttachmentsApiResponse", api.v4ListVMAttachments)
	r.handle("POST", ns, groups+"/{extId}/$actions/attach-vm", volumeTypes+"AttachVmApiResponse", api.v4AttachVM)
	r.handle("POST", ns, groups+"/{extId}/$actions/detach-vm", volumeTypes+"DetachVmApiResponse", api.v4DetachVM)
}

// volumeGroup finds the volume group of a request. The caller holds the mutex. Codes of the volumes namespace are this
// package's own.
func (api *v4API) volumeGroup(r *v4Request) (*volumeGroup, error) {
	id := strings.ToLower(r.PathValue("extId"))
	if g := api.volumeGroupByUUID(id); g != nil {
		return g, nil
	}
	return nil, noSuchEntity("VOL-40100", "Volume group", id)
}

func (api *v4API) volumeGroupObject(r *v4Request, g *volumeGroup) object {
	return typed(volumeTypes+"VolumeGroup", object{
		"extId": g.uuid, "name": g.name, "clusterReference": g.element.UUID, "sharingStatus": "SHARED", "usageType": "USER",
		"isHidden": false, "shouldLoadBalanceVmAttachments": false, "links": selfLinks(r, "config/volume-groups/"+g.uuid),
	})
}

var volumeGroupListing = v4Listing{filters: []string{"extId", "name", "clusterReference"}, orders: []string{"extId", "name"}}

func (api *v4API) v4ListVolumeGroups(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	items := []object{}
	for _, g := range api.volumeGroups.listed(r.rules.lag("volume_group")) {
		items = append(items, api.volumeGroupObject(r, g))
	}
	api.mu.Unlock()
	return volumeGroupListing.answer(r, items)
}

func (api *v4API) v4GetVolumeGroup(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	g, err := api.volumeGroup(r)
	if err != nil {
		return nil, err
	}
	return &v4Answer{data: api.volumeGroupObject(r, g), etag: revision(0).etag()}, nil
}

var attachmentListing = v4Listing{filters: []string{"extId"}, orders: []string{"extId"}}

func (api *v4API) v4ListVMAttachments(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	g, err := api.volumeGroup(r)
	if err != nil {
		api.mu.Unlock()
		return nil, err
	}
	items := []object{}
	for _, m := range api.attachedTo(g) {
		items = append(items, typed(volumeTypes+"VmAttachment", object{"extId": m.uuid}))
	}
	api.mu.Unlock()
	return attachmentListing.answer(r, items)
}

// vmAttachment is the body of attach-vm and detach-vm.
type vmAttachment struct {
	ExtID string `json:"extId"`
}

func (api *v4API) v4AttachVM(r *v4Request) (*v4Answer, error) {
	return api.v4ChangeAttachment(r, "VolumeGroupAttachVm", func(m *machine, g *volumeGroup) *taskError {
		if m.addressOf(g) != "" {
			return attachmentError("VG is attached to VM " + m.uuid + " already").fails()
		}
		m.attach(g)
		return nil
	})
}

func attachmentError(message string) *v4Error {
	return &v4Error{status: http.StatusConflict, code: "VOL-40200", group: "VOLUME_GROUP_ATTACHMENT_ERROR", message: message}
}

func (api *v4API) v4DetachVM(r *v4Request) (*v4Answer, error) {
	return api.v4ChangeAttachment(r, "VolumeGroupDetachVm", func(m *machine, g *volumeGroup) *taskError {
		if text := api.refuseDetach(m.addressOf(g), RefusedByTask); text != "" {
			return attachmentError(text).fails()
		}
		if !m.detach(g) {
			return attachmentError("VG does not have VM attachment " + m.uuid).fails()
		}
		return nil
	})
}

// v4ChangeAttachment answers attach-vm and detach-vm with a task.
func (api *v4API) v4ChangeAttachment(r *v4Request, operation string, change func(*machine, *volumeGroup) *taskError) (*v4Answer, error) {
	var body vmAttachment
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	if uuid.Validate(body.ExtID) != nil {
		return nil, invalidBody("extId", "%q is not a UUID", body.ExtID)
	}
	api.mu.Lock()
	defer api.mu.Unlock()
	g, err := api.volumeGroup(r)
	if err != nil {
		return nil, err
	}
	id := strings.ToLower(body.ExtID)
	if m := api.vmByUUID(id); m != nil && m.exists && operation == "VolumeGroupDetachVm" {
		if text := api.refuseDetach(m.addressOf(g), RefusedByRequest); text != "" {
			return nil, attachmentError(text)
		}
	}
	return taskAnswer(api.order(r.Context(), r.namespace, taskOrder{
		operation: operation, description: operation, duration: api.latency.Update, elements: []string{g.element.UUID},
		entities: []TaskEntity{{UUID: g.uuid, Rel: relVolumeGroup, Name: g.name}, {UUID: id, Rel: relVM}},
		work: func(*task) *taskError {
			m := api.vmByUUID(id)
			if m == nil || !m.exists {
				return noSuchVM(id).fails()
			}
			if failed := change(m, g); failed != nil {
				return failed
			}
			m.attachmentChanged(api.rules)
			m.v4.revision++
			return nil
		},
	})), nil
}
