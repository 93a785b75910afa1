package renderer

import (
	"maps"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/capnt/capnt/tfmodules"
)

// RenderMachine renders the workspace of one machine. Its outputs are vm_uuid, name, addresses and power_state. If the inputs are
// invalid, RenderMachine returns an error that matches ErrInvalidInput and names each invalid field.
func RenderMachine(settings Settings, machine Machine) (Workspace, error) {
	if err := validateMachine(settings, machine); err != nil {
		return Workspace{}, err
	}
	files, err := rootFiles(settings, tfmodules.RoleMachine)
	if err != nil {
		return Workspace{}, err
	}
	files["main.tf"] = machineFile(settings.API, machine)
	if settings.API.orDefault() == APIV4 {
		maps.Copy(files, ObservedFiles(nil, PowerOn))
	} else {
		files[ForeignCategoriesFile] = ForeignCategories(nil)
	}
	files["outputs.tf"] = outputsFile(tfmodules.RoleMachine, "vm_uuid", "name", "addresses", "power_state")
	if machine.CloudInit {
		files[variablesFileName] = userDataFile()
	}
	return newWorkspace(files, digestInputs{Settings: settings, Machine: &machine})
}

func machineFile(api API, machine Machine) []byte {
	file := hclwrite.NewEmptyFile()
	module := newBody(file.Body()).block("module", tfmodules.RoleMachine)
	module.text("source", moduleSource(tfmodules.RoleMachine))
	module.AppendNewline()
	writeIdentity(module, machine)
	module.AppendNewline()
	writeSize(module, machine)
	if api.orDefault() == APIV4 {
		module.reference("power_state", "local.power_state")
	}
	module.AppendNewline()
	module.expression("disks", disksTokens(machine.Disks), "")
	if len(machine.GPUs) > 0 {
		module.AppendNewline()
		module.expression("gpus", gpusTokens(machine.GPUs), "")
	}
	if machine.CloudInit {
		module.AppendNewline()
		module.reference(UserDataVariable, "var."+UserDataVariable)
	}
	return formatted(file)
}

// writeIdentity writes the arguments for name, description, Prism Element, project and categories.
func writeIdentity(module body, machine Machine) {
	module.text("name", machine.Name)
	module.text("description", machine.Description)
	module.entity("prism_element_uuid", machine.PrismElement)
	if machine.Project != nil {
		module.entity("project_uuid", *machine.Project)
	}
	module.expression("subnet_uuids", entitiesTokens(machine.Subnets), "")
	switch {
	case len(machine.Categories) > 0:
		module.expression("categories", mapTokens(machine.Categories), "")
	case len(machine.CategoryRefs) > 0:
		module.expression("categories", entitiesTokens(sortedRefs(machine.CategoryRefs)), "")
	}
	module.reference("foreign_categories", "local.foreign_categories")
}

func writeSize(module body, machine Machine) {
	module.number("num_sockets", int64(machine.Sockets))
	module.number("num_vcpus_per_socket", int64(machine.VCPUsPerSocket))
	module.number("memory_size_mib", machine.MemoryMiB)
	if machine.BootType != "" {
		module.text("boot_type", machine.BootType)
	}
}

func entitiesTokens(refs []Ref) hclwrite.Tokens {
	elements := make([]hclwrite.Tokens, len(refs))
	notes := make([]string, len(refs))
	for i, ref := range refs {
		elements[i] = literal(cty.StringVal(ref.UUID))
		notes[i] = ref.Name
	}
	return listTokens(elements, notes)
}

func disksTokens(disks []Disk) hclwrite.Tokens {
	elements := make([]hclwrite.Tokens, len(disks))
	for i, disk := range disks {
		elements[i] = diskTokens(disk)
	}
	return listTokens(elements, make([]string, len(disks)))
}

func diskTokens(disk Disk) hclwrite.Tokens {
	lines := []hclwrite.Tokens{
		assignment("device_type", literal(cty.StringVal(disk.DeviceType)), ""),
		assignment("adapter_type", literal(cty.StringVal(disk.AdapterType)), ""),
		assignment("device_index", literal(cty.NumberIntVal(int64(disk.Index))), ""),
	}
	if disk.SizeMiB != 0 {
		lines = append(lines, assignment("size_mib", literal(cty.NumberIntVal(disk.SizeMiB)), ""))
	}
	if disk.Image != nil {
		lines = append(lines, assignment("image_uuid", literal(cty.StringVal(disk.Image.UUID)), disk.Image.Name))
	}
	if container := disk.StorageContainer; container != nil {
		lines = append(lines, assignment("storage_container_uuid", literal(cty.StringVal(container.UUID)), container.Name))
	}
	if disk.FlashMode {
		lines = append(lines, assignment("flash_mode", literal(cty.True), ""))
	}
	return objectTokens(lines...)
}

func gpusTokens(gpus []GPU) hclwrite.Tokens {
	elements := make([]hclwrite.Tokens, len(gpus))
	for i, gpu := range gpus {
		elements[i] = objectTokens(
			assignment("vendor", literal(cty.StringVal(gpu.Vendor)), ""),
			assignment("mode", literal(cty.StringVal(gpu.Mode)), ""),
			assignment("device_id", literal(cty.NumberIntVal(gpu.DeviceID)), gpu.Name),
		)
	}
	return listTokens(elements, make([]string, len(gpus)))
}

// userDataFile returns the file that declares the variable with the bootstrap data. The variable has no default, because a VM without
// bootstrap data never becomes a Node.
func userDataFile() []byte {
	file := hclwrite.NewEmptyFile()
	variable := newBody(file.Body()).block("variable", UserDataVariable)
	variable.text("description", "Bootstrap data for cloud-init, base64. Used only while the virtual machine is created.")
	variable.expression("type", hclwrite.TokensForIdentifier("string"), "")
	variable.flag("sensitive", true)
	variable.flag("nullable", false)
	return formatted(file)
}
