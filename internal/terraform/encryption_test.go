package terraform

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const encryption = `
key_provider "pbkdf2" "main" {
  passphrase = "correct horse battery staple"
}
method "aes_gcm" "main" {
  keys = key_provider.pbkdf2.main
}
state {
  method = method.aes_gcm.main
}
plan {
  method = method.aes_gcm.main
}
`

// With TF_ENCRYPTION, OpenTofu stores an encrypted state, and a later run reads it. Terraform ignores the variable.
func TestEncryptedState(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		server := newStateServer(t)
		options := RunOptions{Files: workspace(server.backend(), oneResource("one")), Env: map[string]string{encryptionVariable: encryption}}
		run := open(t, terraform, options)
		plan, err := run.Plan(t.Context(), PlanOptions{})
		require.NoError(t, err)
		assert.Equal(t, "terraform_data.this", plan.JSON.ResourceChanges[0].Address)
		require.NoError(t, run.Apply(t.Context(), plan.Bytes))

		encrypted := terraform.Binary().Product == ProductOpenTofu
		assert.Equal(t, encrypted, !strings.Contains(server.current(), "terraform_data"), server.current())
		again := open(t, terraform, options)
		state, err := again.State(t.Context())
		require.NoError(t, err)
		require.Len(t, state.Resources, 1)
		outputs, err := again.Outputs(t.Context())
		require.NoError(t, err)
		assert.JSONEq(t, `"one"`, string(outputs["input"]))
		plan, err = again.Plan(t.Context(), PlanOptions{})
		require.NoError(t, err)
		assert.False(t, plan.HasChanges)

		if encrypted {
			options.Env = nil
			_, err := terraform.Open(t.Context(), options)
			require.ErrorContains(t, err, "encrypted", "without the key the state cannot be read")
		}
	})
}
