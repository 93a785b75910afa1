package display

import (
	"encoding/json"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Names contains the names of entities in Prism Central by their UUIDs.
type Names map[string]string

// entity returns the name of an entity with the first digits of its UUID, or the UUID if the name is unknown.
func (n Names) entity(uuid string) string {
	name := n[strings.ToLower(uuid)]
	if name == "" {
		return uuid
	}
	return name + " (" + uuid[:min(len(uuid), 8)] + ")"
}

func (n Names) add(uuid string, name *string) {
	if uuid != "" && name != nil && *name != "" {
		n[strings.ToLower(uuid)] = *name
	}
}

// NamesFor returns the names that a machine contains for the UUIDs in a plan. machine may be nil. The pinned inputs contain names with
// UUIDs. The names in the spec are used only for the plan that creates the VM, and only if that plan was made for the same generation.
func NamesFor(plan *infrav1.NutanixPlan, machine *infrav1.NutanixMachine) Names {
	names := Names{}
	if machine == nil {
		return names
	}
	var pins any
	if json.Unmarshal([]byte(machine.Annotations[infrav1.PinnedInputsAnnotation]), &pins) == nil {
		names.collect(pins)
	}
	if plan.Spec.Cause != infrav1.PlanCauseCreate || plan.Spec.Target.Generation != machine.Generation {
		return names
	}
	for _, change := range plan.Spec.Changes {
		switch vm := nested(change.Attributes, after, asText); resourceType(change.Address) {
		case vmType:
			names.match(vm, &machine.Spec)
		case vmTypeV2:
			names.matchV2(vm, &machine.Spec)
		}
	}
	return names
}

// collect adds the names of all JSON objects that contain both a UUID and a name.
func (n Names) collect(value any) {
	switch value := value.(type) {
	case map[string]any:
		uuid, _ := value["uuid"].(string)
		if name, ok := value["name"].(string); ok {
			n.add(uuid, &name)
		}
		for _, inner := range value {
			n.collect(inner)
		}
	case []any:
		for _, inner := range value {
			n.collect(inner)
		}
	}
}

// match adds the names in a spec for the UUIDs of the VM that is created from it. The first disk is the system disk, and the data disks
// follow.
func (n Names) match(vm map[string]any, spec *infrav1.NutanixMachineSpec) {
	n.add(lookup(vm, "cluster_uuid"), spec.Cluster.Name)
	if spec.Project != nil {
		n.add(lookup(vm, "project_reference", "uuid"), spec.Project.Name)
	}
	for i, subnet := range spec.Subnets {
		n.add(lookup(element(vm, "nic_list", i), "subnet_uuid"), subnet.Name)
	}
	if spec.Image != nil {
		n.add(lookup(element(vm, "disk_list", 0), "data_source_reference", "uuid"), spec.Image.Name)
	}
	first := 1
	if spec.BootstrapRef != nil && spec.BootstrapRef.Kind == infrav1.NutanixMachineBootstrapRefKindImage {
		first++ // the CD-ROM with the image is in between
	}
	for i, disk := range spec.DataDisks {
		if disk.DataSource != nil {
			n.add(lookup(element(vm, "disk_list", first+i), "data_source_reference", "uuid"), disk.DataSource.Name)
		}
	}
}

func element(object map[string]any, name string, index int) any {
	list, _ := object[name].([]any)
	if index >= len(list) {
		return nil
	}
	return list[index]
}
