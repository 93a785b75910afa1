package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// example matches an example in the page for approvers: a comment with the names of golden files, and a block whose lines without a prompt
// are their content.
var example = regexp.MustCompile("(?s)<!-- ([a-z-.]+) -->\n```[a-z]+\n(.*?)```")

// TestExamplesOfApproversPage fails if an example in docs/approvers.md is not what the program writes.
func TestExamplesOfApproversPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/approvers.md")
	require.NoError(t, err)
	examples := example.FindAllStringSubmatch(string(page), -1)
	require.NotEmpty(t, examples)
	assert.Len(t, examples, strings.Count(string(page), "<!--"), "each comment belongs to an example")
	for _, found := range examples {
		want, err := os.ReadFile("testdata/" + found[1])
		require.NoError(t, err)
		_, content, _ := strings.Cut(found[2], "\n") // the first line is the command
		assert.Equal(t, strings.TrimSuffix(string(want), "\n"), strings.TrimSuffix(content, "\n"), found[1])
	}
}
