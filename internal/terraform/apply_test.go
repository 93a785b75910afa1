package terraform

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// OpenTofu writes errored.tfstate encrypted, but "tofu state push" cannot read an encrypted file. If such a state were kept, every later run
// would fail to push it.
func TestEncryptedErroredStateIsNotKept(t *testing.T) {
	t.Parallel()
	run := &Run{dir: runDir(t.TempDir())}
	require.NoError(t, os.MkdirAll(filepath.Dir(run.dir.errored()), 0o700))
	content := []byte(`{"serial":2,"lineage":"l","meta":{"key_provider.pbkdf2.main":"eyJ9"},"encrypted_data":"c2VhbGVk","encryption_version":"v0"}`)
	require.NoError(t, os.WriteFile(run.dir.errored(), content, 0o600))
	failure := &Error{Verb: "apply", Message: "failed"}
	run.pushErroredState(t.Context(), failure, time.Now())
	assert.Nil(t, failure.ErroredState)
	assert.Contains(t, failure.Message, "cannot push an encrypted state")
	assert.False(t, encrypted([]byte(`{"version":4,"serial":2}`)))
}

func TestStringsOfEncryptionConfigurationAreRemovedFromMessages(t *testing.T) {
	t.Parallel()
	scrub := newScrubber(nil, map[string]string{"TF_ENCRYPTION": `key_provider "pbkdf2" "main" { passphrase = "correct horse \"battery" }`})
	assert.Equal(t, `pbkdf2 main: (redacted)`, scrub.text(`pbkdf2 main: correct horse \"battery`))
}
