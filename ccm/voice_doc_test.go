package ccm

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryReasonIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/ccm.md")
	require.NoError(t, err)
	for _, reason := range []string{
		ReasonConfigurationChanged, ReasonConfigurationRefused, ReasonRestartNeeded, ReasonUnidentified,
		ReasonAnswers, ReasonUnreachable, ReasonCertificateRefused, ReasonCredentialsRefused, ReasonAccessUnusable,
		ReasonLoadBalancersPossible, ReasonLoadBalancersImpossible,
	} {
		assert.Contains(t, string(page), "`"+reason+"`")
	}
}
