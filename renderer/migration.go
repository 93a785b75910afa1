package renderer

import (
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// MigrationFile is the workspace file that moves existing infrastructure from the resources of one Prism API to those of the other. The
// digest does not cover this file, because it describes the way to the desired workspace and is not needed afterwards.
const MigrationFile = "migration.tf"

// Import is existing infrastructure that becomes a resource of the workspace.
type Import struct {
	// Address is the address of the resource.
	Address string
	// ID is the ID of the infrastructure, see WithImport.
	ID string
}

// WithMigration returns a copy of the workspace that also contains MigrationFile. The copy has the same digest.
func (w Workspace) WithMigration(imports []Import, forgotten ...string) Workspace {
	return w.withFiles(map[string][]byte{MigrationFile: Migration(imports, forgotten...)})
}

// Migration returns the content of MigrationFile. It imports infrastructure and removes the resources at the addresses in forgotten from
// the state, without destroying them. Both are in one file, so that a run never does one without the other. forgotten must not be empty.
// removed blocks require Terraform 1.7. Their argument destroy also requires OpenTofu 1.10.
func Migration(imports []Import, forgotten ...string) []byte {
	file := hclwrite.NewEmptyFile()
	root := newBody(file.Body())
	for _, each := range imports {
		block := root.block("import")
		block.reference("to", each.Address)
		block.text("id", each.ID)
		root.AppendNewline()
	}
	for i, address := range forgotten {
		if i > 0 {
			root.AppendNewline()
		}
		block := root.block("removed")
		block.reference("from", address)
		block.AppendNewline()
		block.block("lifecycle").SetAttributeValue("destroy", cty.False)
	}
	return formatted(file)
}
