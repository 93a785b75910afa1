package terraform

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// specialSecret contains character sequences that have a meaning in Terraform's language. Terraform must not interpret them.
const specialSecret = "hush-${var.other}-%{ if true }-\"quoted\"\nsecond-line-of-it\n"

func TestSecretsAreRemovedFromDisk(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		server := newStateServer(t)
		run := open(t, terraform, RunOptions{
			Files: workspace(server.backend(), `
variable "user_data" {
  type      = string
  sensitive = true
}
resource "terraform_data" "this" {
  input = var.user_data
}
output "user_data" {
  value     = terraform_data.this.output
  sensitive = true
}
`),
			Variables: map[string]string{"user_data": specialSecret},
			Env:       map[string]string{"NUTANIX_PASSWORD": "token-of-this-run"},
		})
		plan, err := run.Plan(t.Context(), PlanOptions{})
		require.NoError(t, err)
		assert.NotContains(t, printed(t, plan.JSON), "hush-")
		assert.NotContains(t, printed(t, plan.JSON), "second-line")
		assert.Contains(t, printed(t, plan.JSON), sensitiveMark)
		assert.Empty(t, filesContaining(t, string(run.dir), "hush-"), "after the plan no file holds the variable")

		require.NoError(t, run.Apply(t.Context(), plan.Bytes))
		assert.Empty(t, filesContaining(t, string(run.dir), "hush-"), "after the apply no file holds the variable")
		assert.Empty(t, filesContaining(t, string(run.dir), "token-of-this-run"))

		outputs, err := run.Outputs(t.Context())
		require.NoError(t, err)
		var userData string
		require.NoError(t, json.Unmarshal(outputs["user_data"], &userData))
		assert.Equal(t, specialSecret, userData, "the value arrives as it is")
	})
}

func TestSecretsAreNotInErrors(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		run := open(t, terraform, RunOptions{
			Files: workspace(newStateServer(t).backend(), `
variable "user_data" { type = string }
resource "terraform_data" "this" {
  provisioner "local-exec" {
    command = "echo '${var.user_data}' $NUTANIX_PASSWORD; exit 1"
  }
}
`),
			Variables: map[string]string{"user_data": "line one is secret\nline two is secret"},
			Env:       map[string]string{"NUTANIX_PASSWORD": "token-of-this-run"},
		})
		plan, err := run.Plan(t.Context(), PlanOptions{})
		require.NoError(t, err)
		err = run.Apply(t.Context(), plan.Bytes)
		require.ErrorContains(t, err, redactedMark)
		for _, secret := range []string{"is secret", "token-of-this-run"} {
			assert.NotContains(t, err.Error(), secret)
			assert.NotContains(t, fmt.Sprintf("%#v", err), secret)
		}
	})
}

// TestMessagesDoNotContainSecretsOfServers lets a command print credentials that the run does not have.
func TestMessagesDoNotContainSecretsOfServers(t *testing.T) {
	t.Parallel()
	const secret = "nutanix/4u"
	run := open(t, newTerraform(t, Config{}), RunOptions{
		Files: workspace(newStateServer(t).backend(), `
variable "user_data" {
  type = string
}
resource "terraform_data" "this" {
  provisioner "local-exec" {
    command = "echo 'admin:`+secret+` was refused because of: password: sesame-1'; exit 1"
  }
}
`),
		Variables: map[string]string{"user_data": base64.StdEncoding.EncodeToString([]byte("#cloud-config\n  password: sesame-1\n"))},
		Secrets:   []string{secret},
	})
	plan, err := run.Plan(t.Context(), PlanOptions{})
	require.NoError(t, err)
	err = run.Apply(t.Context(), plan.Bytes)
	require.ErrorContains(t, err, "admin:"+redactedMark+" was refused because of: "+redactedMark)
	assert.NotContains(t, err.Error(), secret)
	assert.NotContains(t, err.Error(), "sesame")
}

func TestScrubberReplacesPartsOfEncodedSecrets(t *testing.T) {
	t.Parallel()
	encoded := base64.StdEncoding.EncodeToString([]byte("#cloud-config\npassword: sesame-opens-the-door\n"))
	scrub := newScrubber(map[string]string{"user_data": encoded})
	other := base64.StdEncoding.EncodeToString([]byte("#cloud-init\n" + strings.Repeat("x", 30)))
	for text, want := range map[string]string{
		"user_data " + encoded:                "user_data (redacted)",
		"user_data " + encoded[:40] + "...":   "user_data (redacted)...",
		"user_data ..." + encoded[20:] + ".":  "user_data ...(redacted).",
		"user_data " + encoded[:20] + "...":   "user_data " + encoded[:20] + "...",
		"digest " + strings.Repeat("0af", 22): "digest " + strings.Repeat("0af", 22),
		"user_data " + other:                  "user_data " + other,
	} {
		assert.Equal(t, want, scrub.text(text))
	}
}

func TestScrubber(t *testing.T) {
	t.Parallel()
	scrub := newScrubber(
		map[string]string{"user_data": "#cloud-config\npassword: \"x\"\n", "short": "abc"},
		map[string]string{"NUTANIX_PASSWORD": "sesame-1", "NUTANIX_PASSWORD_2": "sesame-1-longer", "NUTANIX_ENDPOINT": "127.0.0.1", "KUBE_TOKEN_PATH": "/var/token"},
	)
	for text, want := range map[string]string{
		"wrong sesame-1-longer given":            "wrong (redacted) given",
		"wrong sesame-1 given":                   "wrong (redacted) given",
		`got "#cloud-config\npassword: \"x\"\n"`: `got "(redacted)"`,
		"#cloud-config password: \"x\" there":    "(redacted) there",
		"the line password: \"x\" alone":         "the line (redacted) alone",
		"abc at 127.0.0.1 in /var/token":         "abc at 127.0.0.1 in /var/token",
	} {
		assert.Equal(t, want, scrub.text(text))
	}
}

func printed(t *testing.T, value any) string {
	t.Helper()
	content, err := json.Marshal(value)
	require.NoError(t, err)
	return string(content)
}
