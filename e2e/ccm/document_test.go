package ccm

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/toolbox"
)

// docs/ccm-conformance.md must name every TestConformance test, and every test that the page names must exist.
func TestPageNamesConformanceTests(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(filepath.Dir(toolbox.Dir()), "docs", "ccm-conformance.md"))
	require.NoError(t, err)
	tests := declaredTests(t)
	named := regexp.MustCompile("`(Test[A-Za-z]+)`").FindAllStringSubmatch(string(page), -1)
	require.NotEmpty(t, named)
	for _, name := range named {
		assert.Contains(t, tests, name[1])
	}
	for _, test := range tests {
		if strings.HasPrefix(test, "TestConformance") {
			assert.Contains(t, string(page), "`"+test+"`")
		}
	}
}

// declaredTests returns the names of the tests in this directory.
func declaredTests(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	var out []string
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range parsed.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && strings.HasPrefix(function.Name.Name, "Test") && function.Name.Name != "TestMain" {
				out = append(out, function.Name.Name)
			}
		}
	}
	return out
}
