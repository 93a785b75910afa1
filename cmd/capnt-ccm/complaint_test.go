package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAWrongFileEndsTheProcessWithOneErrorThatSaysWhat(t *testing.T) {
	for name, tc := range map[string]struct {
		content *string
		want    string
	}{
		"there is none": {nil, "no such file or directory"},
		"it is empty":   {new(""), "reading the configuration"},
		"a field is wrong": {new(`{"prismCentral": {"portt": 1}}`),
			"unknown field; is prismCentral.port meant?"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, kubeconfig: serviceAccountKubeconfig(t), config: filepath.Join(t.TempDir(), "nutanix_config.json")}
			if tc.content != nil {
				require.NoError(t, os.WriteFile(w.config, []byte(*tc.content), 0o600))
			}
			p := w.run()
			require.Error(t, p.Wait())
			assert.Equal(t, 1, p.ProcessState.ExitCode())
			assert.Contains(t, p.log.String(), tc.want)
			assert.Contains(t, p.log.String(), w.config)
			assert.NotContains(t, p.log.String(), "goroutine ")
		})
	}
}
