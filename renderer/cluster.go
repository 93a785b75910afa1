package renderer

import (
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/capnt/capnt/tfmodules"
)

// ControlPlaneCategoryOutput is the output with the UUID of the category of the control plane machines.
const ControlPlaneCategoryOutput = "control_plane_category_uuid"

// RenderCluster renders the workspace of one cluster. The workspace contains the category that identifies the VMs of the cluster. Its
// outputs are category_key and category_value. Several clusters may use the same category key, so the module for the v3 API prevents the
// destruction of the key. Before a destroy plan, the caller must remove CategoryKeyAddress from the state. With the v4 API there is an
// output category_uuid, too, and if the category exists, the caller must import it. With Cluster.ControlPlane there is an output
// control_plane_category_uuid.
func RenderCluster(settings Settings, cluster Cluster) (Workspace, error) {
	if err := validateCluster(settings, cluster); err != nil {
		return Workspace{}, err
	}
	files, err := rootFiles(settings, tfmodules.RoleCluster)
	if err != nil {
		return Workspace{}, err
	}
	file := hclwrite.NewEmptyFile()
	module := newBody(file.Body()).block("module", tfmodules.RoleCluster)
	module.text("source", moduleSource(tfmodules.RoleCluster))
	module.AppendNewline()
	module.text("category_key", cluster.CategoryKey)
	module.text("category_value", cluster.CategoryValue)

	if controlPlane := cluster.ControlPlane; controlPlane != nil {
		module.AppendNewline()
		module.expression("control_plane_category", objectTokens(
			assignment("key", literal(cty.StringVal(controlPlane.CategoryKey)), ""),
			assignment("value", literal(cty.StringVal(controlPlane.CategoryValue)), "")), "")
		module.flag("control_plane_anti_affinity", controlPlane.AntiAffinity)
	}

	files["main.tf"] = formatted(file)
	outputs := []string{"category_key", "category_value"}
	if settings.API.orDefault() == APIV4 {
		outputs = append(outputs, "category_uuid")
	}
	if cluster.ControlPlane != nil {
		outputs = append(outputs, ControlPlaneCategoryOutput)
	}
	files["outputs.tf"] = outputsFile(tfmodules.RoleCluster, outputs...)
	return newWorkspace(files, digestInputs{Settings: settings, Cluster: &cluster})
}
