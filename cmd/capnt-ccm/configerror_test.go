package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestInvalidConfigurationFileEndsProcessWithOneError(t *testing.T) {
	for name, tc := range map[string]struct {
		content *string
		want    string
	}{
		"no file":       {nil, "no such file or directory"},
		"an empty file": {new(""), "reading the configuration"},
		"an unknown field": {new(`{"prismCentral": {"portt": 1}}`),
			"unknown field; is prismCentral.port meant?"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fixture{t: t, kubeconfig: serviceAccountKubeconfig(t), config: filepath.Join(t.TempDir(), "nutanix_config.json")}
			if tc.content != nil {
				require.NoError(t, os.WriteFile(f.config, []byte(*tc.content), 0o600))
			}
			p := f.run()
			require.Error(t, p.Wait())
			assert.Equal(t, 1, p.ProcessState.ExitCode())
			assert.Contains(t, p.log.String(), tc.want)
			assert.Contains(t, p.log.String(), f.config)
			assert.NotContains(t, p.log.String(), "goroutine ")
		})
	}
}
