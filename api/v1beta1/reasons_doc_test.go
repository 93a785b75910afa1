package v1beta1_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
)

const (
	repository      = "../.."
	troubleshooting = repository + "/docs/troubleshooting.md"
)

// coreReasons are the reasons of the Paused condition. A helper of Cluster API writes this condition.
var coreReasons = []string{clusterv1.PausedReason, clusterv1.NotPausedReason}

// documentedReason matches a row in the tables of reasons on the troubleshooting page. Other tables have no code span
// in the first column.
var documentedReason = regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\|")

func TestEveryReasonIsDocumented(t *testing.T) {
	page, err := os.ReadFile(troubleshooting)
	require.NoError(t, err)
	explained := map[string]bool{}
	for _, match := range documentedReason.FindAllStringSubmatch(string(page), -1) {
		explained[match[1]] = true
	}
	known := map[string]bool{}
	for _, reason := range coreReasons {
		known[reason] = true
		assert.True(t, explained[reason], "docs/troubleshooting.md does not explain reason %s", reason)
	}
	used := identifiers(t, "controllers", "internal", "cmd")
	for name, reason := range constants(t, "reasons.go", "Reason") {
		known[reason] = true
		assert.True(t, used[name], "nothing sets %s: remove it from reasons.go", name)
		assert.True(t, explained[reason], "docs/troubleshooting.md does not explain reason %s", reason)
	}
	for reason := range explained {
		assert.True(t, known[reason], "docs/troubleshooting.md explains %s, which is not a reason", reason)
	}
}

func TestEveryConditionIsDocumented(t *testing.T) {
	page, err := os.ReadFile(troubleshooting)
	require.NoError(t, err)
	for name, condition := range constants(t, "conditions.go", "Condition") {
		if condition == "" {
			condition = strings.TrimSuffix(name, "Condition") // the constant is an alias of a Cluster API constant
		}
		assert.Regexp(t, "(?m)^#+ .*`"+condition+"`", string(page), "docs/troubleshooting.md has no heading for condition %s", condition)
	}
}

// constants returns the values of the constants in a file by name. If a constant is not a string literal, its value is
// empty.
func constants(t *testing.T, file, suffix string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	found := map[string]string{}
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasSuffix(spec.Names[0].Name, suffix) {
			return true
		}
		value := ""
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
			value, err = strconv.Unquote(literal.Value)
			require.NoError(t, err)
		}
		found[spec.Names[0].Name] = value
		return true
	})
	require.NotEmpty(t, found, file)
	return found
}

// identifiers returns the identifiers in the Go files of the directories, except in tests.
func identifiers(t *testing.T, directories ...string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, directory := range directories {
		err := filepath.WalkDir(filepath.Join(repository, directory), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(parsed, func(node ast.Node) bool {
				if identifier, ok := node.(*ast.Ident); ok {
					names[identifier.Name] = true
				}
				return true
			})
			return nil
		})
		require.NoError(t, err)
	}
	return names
}
