package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/policy"
)

// TestWorkedExampleOfTheDocumentation checks that docs/policies.md shows the example as it is, and the messages that it has.
func TestWorkedExampleOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/policies.md")
	require.NoError(t, err)
	path := filepath.Join(examples, "no-disruption-on-friday.yaml")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(page), "```yaml\n"+string(content)+"```\n")

	p := readPolicy(t, path)
	input := driftInput()
	at(9)(&input)
	findings := policy.Evaluate([]infrav1.NutanixPlanPolicy{p}, input)
	require.Len(t, findings, 1)
	assert.Contains(t, string(page), "   ```text\n   "+findings[0].Message+"\n")

	p.Spec.Rules[0].Expression = strings.Replace(p.Spec.Rules[0].Expression, "disruption", "disrupton", 1)
	errs := policy.ValidateNew(&p)
	require.Len(t, errs, 1)
	assert.Contains(t, string(page), "   ```text\n   "+errs[0].Error()+"\n")
}
