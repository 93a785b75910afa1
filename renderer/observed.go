package renderer

import (
	"cmp"
	"slices"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// ForeignCategoriesFile is the workspace file with foreign categories, which are categories that somebody else has added to the VM. The
// digest does not cover this file, because foreign categories are observed values and not desired values.
const ForeignCategoriesFile = "foreign.tf"

// ForeignCategories returns the content of ForeignCategoriesFile. categories maps keys to values. It must not contain a key that
// Machine.Categories contains.
func ForeignCategories(categories map[string]string) []byte {
	file := hclwrite.NewEmptyFile()
	value := literal(cty.EmptyObjectVal)
	if len(categories) > 0 {
		value = mapTokens(categories)
	}
	newBody(file.Body()).block("locals").expression("foreign_categories", value, "")
	return formatted(file)
}

// PowerStateFile is the workspace file with the power state of the VM. Only workspaces of the v4 API contain it, because the provider
// cannot set the power state of a VM with the v3 API in all versions. The digest does not cover this file.
const PowerStateFile = "power.tf"

// PowerOn is the power state with which a machine is rendered. It must be replaced with the observed power state once the machine is
// provisioned, because the provider otherwise plans to switch on a VM that is off.
const PowerOn = "ON"

// ObservedFiles returns the content of ForeignCategoriesFile and of PowerStateFile with the v4 API. foreign are the categories that the VM
// has and that Machine.CategoryRefs does not contain. powerState is ON, OFF, PAUSED or UNDETERMINED.
func ObservedFiles(foreign []Ref, powerState string) map[string][]byte {
	categories := literal(cty.EmptyTupleVal)
	if len(foreign) > 0 {
		categories = entitiesTokens(sortedRefs(foreign))
	}
	categoriesFile, powerFile := hclwrite.NewEmptyFile(), hclwrite.NewEmptyFile()
	newBody(categoriesFile.Body()).block("locals").expression("foreign_categories", categories, "")
	newBody(powerFile.Body()).block("locals").text("power_state", powerState)
	return map[string][]byte{ForeignCategoriesFile: formatted(categoriesFile), PowerStateFile: formatted(powerFile)}
}

// sortedRefs returns references sorted by UUID. Prism Central has no fixed order of the categories of a VM.
func sortedRefs(refs []Ref) []Ref {
	return slices.SortedFunc(slices.Values(refs), func(a, b Ref) int { return cmp.Compare(a.UUID, b.UUID) })
}
