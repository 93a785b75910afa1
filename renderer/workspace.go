// Package renderer turns resolved inputs into a Terraform workspace: the files of one root module and a digest of the inputs.
//
// The package is pure: it uses no client, clock, environment or process, and the same inputs give the same bytes. Strings from
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

// UserDataVariable is the sensitive variable of a machine workspace with cloud-init: the bootstrap data in base64. It has no
// default, so every run must set it. Its value matters only when the VM is created; later it may be any base64 string, also
// an empty one.
const UserDataVariable = "user_data"

const importFile = "import.tf"

// Workspace is one root module, ready to be written to an empty directory.
type Workspace struct {
	// Files holds the content by slash-separated path relative to the directory.
	Files map[string][]byte
	// Digest identifies the inputs that the workspace was rendered from: the version of the algorithm, a colon and a
	// SHA-256 in hex. It covers neither module text nor import blocks nor the categories of others.
	Digest string
}

// newWorkspace parses every file, because a file that is not HCL would otherwise fail in the Terraform run.
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

// WithImport returns a copy of the workspace with an import block that imports the existing object id to address
// (MachineAddress with the UUID of a VM; CategoryKeyAddress with the key). The digest stays the same. The provider cannot import
// a category value.
func (w Workspace) WithImport(address, id string) Workspace {
	file := hclwrite.NewEmptyFile()
	block := newBody(file.Body()).block("import")
	block.reference("to", address)
	block.text("id", id)

	files := maps.Clone(w.Files)
	files[importFile] = file.Bytes()
	return Workspace{Files: files, Digest: w.Digest}
}

// WithForeignCategories returns a copy of the workspace of a machine that keeps these categories of others: see
// ForeignCategories. The digest stays the same.
func (w Workspace) WithForeignCategories(categories map[string]string) Workspace {
	files := maps.Clone(w.Files)
	files[ForeignCategoriesFile] = ForeignCategories(categories)
	return Workspace{Files: files, Digest: w.Digest}
}
