package vmm

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// createVM starts the task that creates a VM. The VM is off. If the request refers to an entity that does not exist, the
// rule InvalidReference determines whether the request or its task fails.
func (api *API) createVM(r *v4.Request) (*v4.Response, error) {
	if err := checkRequestID(r); err != nil {
		return nil, err
	}
	body, err := readVM(r)
	if err != nil {
		return nil, err
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	intent := body.intent()
	if invalid := api.checkVM(body, intent); invalid != nil {
		if r.Rules.InvalidReference == model.RefusedByRequest {
			return nil, invalid
		}
		return v4.Accepted(api.Order(r.Context(), r.Namespace, model.Order{
			Operation: operationCreate, Description: "Create VM", Duration: api.Latency.Create,
			Work: func(*model.Task) *model.TaskError { return invalid.Fails() },
		})), nil
	}
	m := api.NewVM(intent, time.Now().UTC().Truncate(time.Second))
	api.setDetails(m, body)
	m.Pending++
	return v4.Accepted(api.orderCreate(r, m)), nil
}

const operationCreate = "kVmCreate"

func (api *API) orderCreate(r *v4.Request, m *model.VM) *model.Task {
	entity := model.TaskEntity{UUID: m.UUID, Rel: model.RelVM, Name: m.Spec.Name}
	order := model.Order{
		Operation: operationCreate, Description: "Create VM", Duration: api.Latency.Create, Queue: &m.Queue, Creates: m,
		PrismElements: []string{m.PrismElement.UUID}, Entities: []model.TaskEntity{entity},
		Work: func(*model.Task) *model.TaskError { return inV4(api.FinishCreate(m)) },
	}
	if r.Rules.LateTaskEntities {
		order.Entities = nil
		order.Work = func(t *model.Task) *model.TaskError {
			t.Affect(entity)
			return inV4(api.FinishCreate(m))
		}
	}
	t := api.Order(r.Context(), r.Namespace, order)
	m.Tasks = append(m.Tasks, t.UUID)
	return t
}

// setDetails sets the properties of a new VM that the intent of v3 does not have.
func (api *API) setDetails(m *model.VM, body *vmBody) {
	m.V4.Further = body.Further
	if body.BIOSUUID != "" {
		m.BIOS = strings.ToLower(body.BIOSUUID)
	}
	for _, category := range body.Categories {
		key, v := api.CategoryByID(strings.ToLower(category.ExtID))
		m.Categories.Set(key.Name, model.AddStrings(slices.Clone(m.Categories[key.Name]), []string{v.Value}))
	}
}

// updateVM starts the task that replaces the properties of a VM. It ignores devices, categories, power state and guest
// customization, because other operations change them.
func (api *API) updateVM(r *v4.Request) (*v4.Response, error) {
	body, err := readVM(r)
	if err != nil {
		return nil, err
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	m, err := api.changedVM(r)
	if err != nil {
		return nil, err
	}
	if invalid := api.checkUpdate(m, body); invalid != nil && r.Rules.InvalidReference == model.RefusedByRequest {
		return nil, invalid
	}
	return api.order(r, m, vmTask{operation: "kVmUpdate", description: "Update VM", duration: api.Latency.Update, work: func(*model.Task) *model.TaskError {
		if invalid := api.checkUpdate(m, body); invalid != nil {
			return invalid.Fails()
		}
		return api.update(m, body)
	}}), nil
}

// update replaces the properties of a VM. Properties that the body omits keep their values.
func (api *API) update(m *model.VM, body *vmBody) *model.TaskError {
	if text := refuseWhileOn(m, body); text != "" {
		return invalidState("Failed to perform the operation on the VM with UUID '" + m.UUID + "', because it is powered on: " + text + ".").Fails()
	}
	failed := api.Reconfigure(m, func(spec *wire.VMSpec) *model.TaskError {
		spec.Name, spec.Description = body.Name, body.Description
		spec.Resources = body.over(spec.Resources)
		return nil
	})
	if failed != nil {
		return failed
	}
	if project := body.Project.kind("project"); project != nil {
		m.Project = project.UUID
	}
	if body.BIOSUUID != "" {
		m.BIOS = strings.ToLower(body.BIOSUUID)
	}
	m.V4.Further = maps.Clone(m.V4.Further)
	if m.V4.Further == nil {
		m.V4.Further = map[string]any{}
	}
	maps.Copy(m.V4.Further, body.Further)
	return nil
}

// checkUpdate returns an error if an update refers to entities that do not exist or changes the Prism Element.
func (api *API) checkUpdate(m *model.VM, body *vmBody) *v4.Error {
	if body.Name == "" {
		return invalidArgument(m.UUID, "name", "")
	}
	if cluster := body.Cluster.kind("cluster"); cluster != nil && cluster.UUID != m.PrismElement.UUID {
		return invalidArgument(m.UUID, "cluster", cluster.UUID)
	}
	return api.checkProject(m.UUID, body)
}

func (api *API) checkProject(vm string, body *vmBody) *v4.Error {
	if project := body.Project.kind("project"); project != nil && api.ProjectByUUID(project.UUID) == nil {
		return invalidArgument(vm, "project", project.UUID)
	}
	return nil
}

func (api *API) checkCategories(vm string, categories []reference) *v4.Error {
	for _, category := range categories {
		if _, v := api.CategoryByID(strings.ToLower(category.ExtID)); v == nil {
			return invalidArgument(vm, "category", category.ExtID)
		}
	}
	return nil
}

// checkVM returns an error if a VM refers to entities that do not exist or has invalid values. The caller must hold the
// mutex.
func (api *API) checkVM(body *vmBody, intent *wire.VMIntent) *v4.Error {
	pe := api.PrismElementByUUID(wire.OrZero(intent.Spec.ClusterReference).UUID)
	switch {
	case body.Name == "":
		return invalidArgument("", "name", "")
	case pe == nil:
		return invalidArgument("", "cluster", wire.OrZero(intent.Spec.ClusterReference).UUID)
	}
	for _, invalid := range []*v4.Error{api.checkProject("", body), api.checkCategories("", body.Categories), api.checkDevices("", pe, intent.Spec.Resources)} {
		if invalid != nil {
			return invalid
		}
	}
	if err := api.CheckIntent(intent, nil); err != nil {
		return invalidArgument("", "spec", model.RefusalText(err))
	}
	return nil
}

// checkDevices returns an error if a device refers to an entity that does not exist on the Prism Element.
func (api *API) checkDevices(vm string, pe *inventory.PrismElement, res *wire.VMResources) *v4.Error {
	for _, d := range res.DiskList {
		image, group, container := wire.OrZero(d.DataSource).UUID, wire.OrZero(d.VolumeGroup).UUID, wire.OrZero(wire.OrZero(d.StorageConfig).Container).UUID
		switch {
		case image != "" && d.UUID == "" && api.ImageByUUID(image) == nil:
			return invalidArgument(vm, "image", image)
		case group != "" && d.UUID == "" && api.VolumeGroupByUUID(group) == nil:
			return invalidArgument(vm, "volumeGroup", group)
		case container != "" && model.ContainerByUUID(pe, container) == nil:
			return invalidArgument(vm, "storageContainer", container)
		}
	}
	for _, n := range res.NICList {
		id := wire.OrZero(n.SubnetReference).UUID
		if subnet := api.SubnetByUUID(id); subnet == nil || (subnet.Element != nil && subnet.Element != pe) {
			return invalidArgument(vm, "subnet", id)
		}
	}
	return nil
}
