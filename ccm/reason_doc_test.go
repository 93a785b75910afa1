package ccm

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
	// reasonInCode is a constant for the reason of an Event.
	reasonInCode = regexp.MustCompile(`(?m)^\s*(?:const )?Reason\w+\s*=\s*"(\w+)"`)
	// explained are the lines of tables that explain reasons, and reasonInPage one reason there.
	explained    = regexp.MustCompile("(?m)^\\| (`[A-Z][A-Za-z0-9]+`(?:, `[A-Z][A-Za-z0-9]+`)*) \\|")
	reasonInPage = regexp.MustCompile("`(\\w+)`")
)

func TestEveryReasonIsExplained(t *testing.T) {
	page, err := os.ReadFile("../docs/ccm.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "## When something is wrong\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var told []string
	for _, row := range explained.FindAllStringSubmatch(section, -1) {
		for _, reason := range reasonInPage.FindAllStringSubmatch(row[1], -1) {
			told = append(told, reason[1])
		}
	}
	var given []string
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path)
		for _, match := range reasonInCode.FindAllStringSubmatch(string(code), -1) {
			given = append(given, match[1])
		}
		return err
	}))
	require.Contains(t, given, ReasonAnswers)
	assert.Subset(t, told, given, "what an Event says and docs/ccm.md does not explain")
	assert.Subset(t, given, told, "what docs/ccm.md explains and no Event says")
}
