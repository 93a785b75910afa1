package renderer

import (
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/capnt/capnt/tfmodules"
)

// RenderCluster renders the workspace of one cluster. The workspace contains the category that identifies the VMs of the cluster. Its
// outputs are category_key and category_value. Several clusters may use the same category key, so the module for the v3 API prevents the
// destruction of the key. Before a destroy plan, the caller must remove CategoryKeyAddress from the state. With the v4 API there is an
// output category_uuid, too, and if the category exists, the caller must import it.
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

	files["main.tf"] = formatted(file)
	outputs := []string{"category_key", "category_value"}
	if settings.API.orDefault() == APIV4 {
		outputs = append(outputs, "category_uuid")
	}
	files["outputs.tf"] = outputsFile(tfmodules.RoleCluster, outputs...)
	return newWorkspace(files, digestInputs{Settings: settings, Cluster: &cluster})
}
