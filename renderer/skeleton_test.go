package renderer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"
)

// parse parses a rendered file.
func parse(t testing.TB, content []byte) *hclsyntax.Body {
	t.Helper()
	file, diagnostics := hclsyntax.ParseConfig(content, "main.tf", hcl.InitialPos)
	require.False(t, diagnostics.HasErrors(), "%s\n%s", diagnostics, content)
	return file.Body.(*hclsyntax.Body)
}

// skeleton returns a description of the structure of an HCL file. The description does not contain string literals, so two files that
// differ only in string literals have the same skeleton.
func skeleton(t testing.TB, content []byte) string {
	t.Helper()
	var out strings.Builder
	describeBody(&out, parse(t, content), "")
	// The number of lines is included because a newline in a comment could turn a part of the comment into a line of its own without
	// changing the syntax tree.
	fmt.Fprintf(&out, "%d lines", strings.Count(string(content), "\n"))
	return out.String()
}

func describeBody(out *strings.Builder, body *hclsyntax.Body, indent string) {
	attributes := make([]*hclsyntax.Attribute, 0, len(body.Attributes))
	for _, attribute := range body.Attributes {
		attributes = append(attributes, attribute)
	}
	slices.SortFunc(attributes, func(a, b *hclsyntax.Attribute) int { return a.SrcRange.Start.Line - b.SrcRange.Start.Line })
	for _, attribute := range attributes {
		fmt.Fprintf(out, "%s%s = ", indent, attribute.Name)
		describeExpression(out, attribute.Expr)
		out.WriteString("\n")
	}
	for _, block := range body.Blocks {
		fmt.Fprintf(out, "%s%s %q\n", indent, block.Type, block.Labels)
		describeBody(out, block.Body, indent+"  ")
	}
}

func describeExpression(out *strings.Builder, expression hclsyntax.Expression) {
	switch expression := expression.(type) {
	case *hclsyntax.TemplateExpr:
		for _, part := range expression.Parts {
			if _, literal := part.(*hclsyntax.LiteralValueExpr); !literal {
				fmt.Fprintf(out, "TEMPLATE(%T)", part)
				return
			}
		}
		out.WriteString("string")
	case *hclsyntax.LiteralValueExpr:
		fmt.Fprintf(out, "%s", expression.Val.Type().FriendlyName())
	case *hclsyntax.ObjectConsKeyExpr:
		describeExpression(out, expression.Wrapped)
	case *hclsyntax.ScopeTraversalExpr:
		for _, step := range expression.Traversal {
			switch step := step.(type) {
			case hcl.TraverseRoot:
				out.WriteString(step.Name)
			case hcl.TraverseAttr:
				out.WriteString("." + step.Name)
			default:
				fmt.Fprintf(out, "%T", step)
			}
		}
	case *hclsyntax.TupleConsExpr:
		out.WriteString("[")
		for _, element := range expression.Exprs {
			describeExpression(out, element)
			out.WriteString(", ")
		}
		out.WriteString("]")
	case *hclsyntax.ObjectConsExpr:
		out.WriteString("{")
		for _, item := range expression.Items {
			describeExpression(out, item.KeyExpr)
			out.WriteString(": ")
			describeExpression(out, item.ValueExpr)
			out.WriteString(", ")
		}
		out.WriteString("}")
	default:
		fmt.Fprintf(out, "%T", expression)
	}
}

// moduleValues evaluates the arguments of the only module call in a file. It omits arguments whose values depend on variables or
// functions.
func moduleValues(t testing.TB, content []byte) map[string]any {
	t.Helper()
	body := parse(t, content)
	require.Len(t, body.Blocks, 1)
	values := map[string]any{}
	for name, attribute := range body.Blocks[0].Body.Attributes {
		if value, diagnostics := attribute.Expr.Value(nil); !diagnostics.HasErrors() {
			values[name] = plain(value)
		}
	}
	return values
}
