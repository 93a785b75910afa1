// Package renderer renders Terraform workspaces from inputs in which all names are resolved to UUIDs. A workspace consists of the files
// of one root module and a digest of the inputs.
//
// The functions are pure: they use no clients, clocks, environment variables or processes, and equal inputs result in equal bytes.
// Strings from users are written only as literals (see hcl.go), and names of entities only as comments. The files contain neither
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

// UserDataVariable is the sensitive variable that contains the bootstrap data in base64. Machine workspaces with CloudInit declare it. It
// has no default, so every run must set it. The value is used only when the VM is created. In later runs it may be empty or any base64
// string.
const UserDataVariable = "user_data"

const importFile = "import.tf"

// Workspace contains the files of one root module. The files are written to an empty directory.
type Workspace struct {
	// Files maps slash-separated paths, relative to the directory, to the contents of the files.
	Files map[string][]byte
	// Digest identifies the inputs of the workspace. It consists of the version of the digest algorithm, a colon and a SHA-256 in hex. It
	// does not cover the files of the module, import blocks and observed values, which are foreign categories and the power state.
	Digest string
}

// newWorkspace returns a workspace after parsing all files. Otherwise invalid HCL would be detected only by the Terraform run.
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

// WithImport returns a copy of the workspace that also contains an import block. The block imports existing infrastructure with the ID id
// as the resource at address. For a VM, the address is that of API.MachineAddress and the ID is the UUID. For a category key of the v3 API,
// the address is CategoryKeyAddress and the ID is the key. The provider cannot import a category value of the v3 API. For a category of the
// v4 API, the address is CategoryAddressV4 and the ID is the UUID. The copy has the same digest.
func (w Workspace) WithImport(address, id string) Workspace {
	return w.WithImports(map[string]string{address: id})
}

// WithImports is like WithImport, but imports several resources. imports maps addresses to IDs.
func (w Workspace) WithImports(imports map[string]string) Workspace {
	file := hclwrite.NewEmptyFile()
	for i, address := range slices.Sorted(maps.Keys(imports)) {
		if i > 0 {
			file.Body().AppendNewline()
		}
		block := newBody(file.Body()).block("import")
		block.reference("to", address)
		block.text("id", imports[address])
	}
	return w.withFiles(map[string][]byte{importFile: file.Bytes()})
}

// WithForeignCategories returns a copy of a machine's workspace that also contains foreign categories, so that an apply does not remove
// them from the VM (see ForeignCategories). The copy has the same digest.
func (w Workspace) WithForeignCategories(categories map[string]string) Workspace {
	return w.withFiles(map[string][]byte{ForeignCategoriesFile: ForeignCategories(categories)})
}

// WithObserved returns a copy of a machine's workspace of the v4 API that also contains observed values (see ObservedFiles). The copy has
// the same digest.
func (w Workspace) WithObserved(foreign []Ref, powerState string) Workspace {
	return w.withFiles(ObservedFiles(foreign, powerState))
}

// withFiles returns a copy of the workspace in which files are added or replaced.
func (w Workspace) withFiles(added map[string][]byte) Workspace {
	files := maps.Clone(w.Files)
	maps.Copy(files, added)
	return Workspace{Files: files, Digest: w.Digest}
}
