package renderer_test

import (
	"path"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/capnt/capnt/renderer"
)

// TestArgumentsFitModule proves without Terraform that every rendered module call has all required arguments of its module and no others,
// that the arguments have the types of the variables, and that the module has the outputs that the root module uses.
func TestArgumentsFitModule(t *testing.T) {
	for name, workspace := range goldenCases(t) {
		t.Run(name, func(t *testing.T) {
			call := parse(t, workspace.Files["main.tf"]).Blocks[0]
			directory := path.Join("modules", call.Labels[0])
			arguments := call.Body.Attributes
			delete(arguments, "source")

			for _, variable := range parse(t, workspace.Files[path.Join(directory, "variables.tf")]).Blocks {
				argument, found := arguments[variable.Labels[0]]
				if !found {
					assert.Contains(t, variable.Body.Attributes, "default", "argument %s is missing", variable.Labels[0])
					continue
				}
				delete(arguments, variable.Labels[0])
				assertType(t, variable.Body.Attributes["type"].Expr, argument.Expr, locals(t, workspace))
			}
			assert.Empty(t, arguments, "the module has no such variables")
			assertOutputs(t, workspace, directory)
		})
	}
}

// locals returns an evaluation context with the local values and the variables of the root module.
func locals(t *testing.T, workspace renderer.Workspace) *hcl.EvalContext {
	t.Helper()
	values := map[string]cty.Value{}
	for _, file := range []string{renderer.ForeignCategoriesFile, renderer.PowerStateFile} {
		if content, found := workspace.Files[file]; found {
			for name, attribute := range parse(t, content).Blocks[0].Body.Attributes {
				value, diagnostics := attribute.Expr.Value(nil)
				require.False(t, diagnostics.HasErrors(), diagnostics.Error())
				values[name] = value
			}
		}
	}
	return &hcl.EvalContext{Variables: map[string]cty.Value{
		"local": cty.ObjectVal(values),
		"var":   cty.ObjectVal(map[string]cty.Value{renderer.UserDataVariable: cty.UnknownVal(cty.String)}),
	}}
}

func assertType(t *testing.T, constraint, argument hclsyntax.Expression, context *hcl.EvalContext) {
	t.Helper()
	wanted, defaults, diagnostics := typeexpr.TypeConstraintWithDefaults(constraint)
	require.False(t, diagnostics.HasErrors(), diagnostics.Error())
	value, diagnostics := argument.Value(context)
	require.False(t, diagnostics.HasErrors(), diagnostics.Error())
	if defaults != nil {
		value = defaults.Apply(value)
	}
	_, err := convert.Convert(value, wanted)
	assert.NoError(t, err)
}

func assertOutputs(t *testing.T, workspace renderer.Workspace, directory string) {
	t.Helper()
	offered := map[string]bool{}
	for _, block := range parse(t, workspace.Files[path.Join(directory, "outputs.tf")]).Blocks {
		offered[path.Join(append([]string{block.Type}, block.Labels...)...)] = true
	}
	used := parse(t, workspace.Files["outputs.tf"]).Blocks
	assert.NotEmpty(t, used)
	for _, output := range used {
		assert.True(t, offered["output/"+output.Labels[0]], output.Labels[0])
	}
}
