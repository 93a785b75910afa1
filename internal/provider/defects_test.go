package provider_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	namedTest    = regexp.MustCompile("`(Test[A-Za-z0-9_]+)`")
	declaredTest = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]+)\(`)
)

// TestDefectsNameTheirTests checks that every test in docs/provider-2.4.md exists, and that every defect has one.
func TestDefectsNameTheirTests(t *testing.T) {
	const repository = "../.."
	declared := map[string]bool{}
	require.NoError(t, filepath.WalkDir(repository, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && len(entry.Name()) > 2:
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		content, err := os.ReadFile(path)
		for _, match := range declaredTest.FindAllStringSubmatch(string(content), -1) {
			declared[match[1]] = true
		}
		return err
	}))
	page, err := os.ReadFile(repository + "/docs/provider-2.4.md")
	require.NoError(t, err)
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| Defect ") {
			continue
		}
		named := namedTest.FindAllStringSubmatch(line, -1)
		assert.NotEmpty(t, named, line)
		for _, match := range named {
			assert.True(t, declared[match[1]], match[1])
		}
	}
}
