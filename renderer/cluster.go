package renderer

import (
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/capnt/capnt/tfmodules"
)

// RenderCluster renders the workspace of one cluster: the category that marks its VMs. Its outputs are category_key and
// category_value. Other clusters may share the key, so the module prevents its destruction. Before a run plans the deletion of the
// cluster, it removes CategoryKeyAddress from the state.
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
	module.text("source", "./modules/"+tfmodules.RoleCluster)
	module.AppendNewline()
	module.text("category_key", cluster.CategoryKey)
	module.text("category_value", cluster.CategoryValue)

	files["main.tf"] = formatted(file)
	files["outputs.tf"] = outputsFile(tfmodules.RoleCluster, "category_key", "category_value")
	return newWorkspace(files, digestInputs{Settings: settings, Cluster: &cluster})
}
