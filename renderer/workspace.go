// Package renderer renders a Terraform workspace from resolved inputs: the files of one root module and a digest of the inputs.
//
// The package is pure. It uses no client, clock, environment or process, and equal inputs result in equal bytes. Strings from
// users are literals in the configuration (see hcl.go), and names of entities are comments. The configuration contains neither
// bootstrap data nor credentials.
package renderer

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Addresses of the resources in the rendered workspaces.
const (
	MachineAddress       = "module.machine.nutanix_virtual_machine.this"
	CategoryKeyAddress   = "module.cluster.nutanix_category_key.this"
	CategoryValueAddress = "module.cluster.nutanix_category_value.this"
)

// UserDataVariable is the sensitive variable of a machine workspace with cloud-init. It contains the bootstrap data in base64. It
// has no default, so every run must set it. Only the creation of the VM uses its value. Later it may be any base64 string or
// empty.
const UserDataVariable = "user_data"

const importFile = "import.tf"

// Workspace contains the files of one root module, which are written to an empty directory.
type Workspace struct {
	// Files maps slash-separated paths relative to the directory to contents.
	Files map[string][]byte
	// Digest identifies the inputs of the workspace. It consists of the version of the algorithm, a colon and a SHA-256 in hex. It
	// covers neither module text nor import blocks nor foreign categories.
	Digest string
}

// newWorkspace parses every file, because a file that is not valid HCL would otherwise fail only in the Terraform run.
func newWorkspace(files map[string][]byte, inputs digestInputs) (Workspace, error) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if _, diagnostics := hclsyntax.ParseConfig(files[name], name, hcl.InitialPos); diagnostics.HasErrors() {
			return Workspace{}, fmt.Errorf("checking rendered file %s: %w", name, diagnostics)
		}
	}
	hash, err := digest(inputs)
	if err != nil {
		return Workspace{}, err
	}
	return Workspace{Files: files, Digest: hash}, nil
}

// WithImport returns a copy of the workspace with an import block for the existing object with that ID. The address is
// MachineAddress for the UUID of a VM, or CategoryKeyAddress for a key. The digest stays the same. The provider cannot import a
// category value.
func (w Workspace) WithImport(address, id string) Workspace {
	file := hclwrite.NewEmptyFile()
	block := newBody(file.Body()).block("import")
	block.reference("to", address)
	block.text("id", id)

	files := maps.Clone(w.Files)
	files[importFile] = file.Bytes()
	return Workspace{Files: files, Digest: w.Digest}
}

// WithForeignCategories returns a copy of a machine's workspace that keeps these foreign categories, see ForeignCategories. The
// digest stays the same.
func (w Workspace) WithForeignCategories(categories map[string]string) Workspace {
	files := maps.Clone(w.Files)
	files[ForeignCategoriesFile] = ForeignCategories(categories)
	return Workspace{Files: files, Digest: w.Digest}
}
