package renderer

import (
	"fmt"
	"maps"
)

// Names of files in a workspace.
const (
	backendFileName   = "backend.tf"
	versionsFileName  = "versions.tf"
	variablesFileName = "variables.tf"
	// moduleDir contains a directory for each module that the root module calls.
	moduleDir = "modules"
	// StateFileName contains the state of an exported workspace.
	StateFileName = "terraform.tfstate"
)

// Export returns the files of the workspace for a user who runs Terraform in a directory with these files. The files contain the state
// and no backend. state is in Terraform's own format and contains secrets. Files in observed replace the files of the workspace that were
// rendered from observed values.
func (w Workspace) Export(state []byte, observed map[string][]byte) map[string][]byte {
	files := maps.Clone(w.Files)
	maps.Copy(files, observed)
	delete(files, backendFileName)
	files[StateFileName] = state
	files["README.md"] = []byte(exportReadme)
	if _, ok := files[variablesFileName]; ok {
		// The value can be empty, because the VM already exists and has its user data. Terraform requires a value because the variable has no
		// default.
		files["terraform.tfvars"] = fmt.Appendf(nil, "%s = \"\"\n", UserDataVariable)
	}
	return files
}

// exportReadme is the content of the README in an exported workspace.
const exportReadme = `# An exported Terraform workspace

These are the files of a Terraform workspace that CAPNT managed, with its state in ` + "`terraform.tfstate`" + `. What the state
describes was left in Prism Central.

    export NUTANIX_ENDPOINT=prism-central.example.com NUTANIX_USERNAME=... NUTANIX_PASSWORD=...
    terraform init
    terraform plan      # reports no changes

The state contains secrets: the user data of the virtual machine with everything that its bootstrap provider wrote into it.
` + "`user_data`" + ` in ` + "`terraform.tfvars`" + ` is empty because Terraform ignores it for a virtual machine that exists. A virtual machine that
Terraform creates again from this workspace would not join a cluster.
`
