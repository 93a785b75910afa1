package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/terraform"
)

// mirror creates a provider mirror for this platform. locked maps each version in the mirror to the version in its lock file. If the
// latter is empty, the lock file is missing.
func mirror(t *testing.T, locked map[string]string) *terraform.Terraform {
	t.Helper()
	dir := t.TempDir()
	for version, lock := range locked {
		base := filepath.Join(dir, filepath.FromSlash(terraform.ProviderSource), version)
		require.NoError(t, os.MkdirAll(filepath.Join(base, runtime.GOOS+"_"+runtime.GOARCH), 0o700))
		if lock != "" {
			content := fmt.Appendf(nil, "provider %q {\n  version     = %q\n}\n", terraform.ProviderSource, lock)
			require.NoError(t, os.WriteFile(filepath.Join(base, ".terraform.lock.hcl"), content, 0o600))
		}
	}
	engine, err := terraform.New(terraform.Config{Binary: terraform.Binary{Path: "/bin/true"}, MirrorDir: dir})
	require.NoError(t, err)
	return engine
}

// TestUsableProviders proves that the manager can use every supported version in the mirror, even if another version is unusable.
func TestUsableProviders(t *testing.T) {
	engine := mirror(t, map[string]string{"1.9.5": "1.9.5", "2.4.2": "2.4.2", "1.8.0": "1.8.0", "3.0.0": "3.0.0", "2.4.3": ""})
	assert.Equal(t, []string{"1.9.5", "2.4.2"}, usableProviders(engine))
	for version, wants := range map[string][]string{
		"1.8.0": {"--provider-version=1.8.0", "not supported"},
		"2.4.3": {"--provider-version=2.4.3", ".terraform.lock.hcl"},
		"2.5.0": {"in the versions 1.8.0, 1.9.5, 2.4.2, 3.0.0, but --provider-version=2.5.0"},
	} {
		options, err := parse("--provider-mirror=/mirror", "--provider-version="+version)
		require.NoError(t, err)
		for _, want := range append(wants, "--provider-mirror=/mirror") {
			assert.ErrorContains(t, noProvider(engine, options), want)
		}
	}
}

func TestFindTerraformDownloadsFromTheMirrorAndLogsIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var asked string
	mirror := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		asked = request.URL.Path
		http.NotFound(writer, request)
	}))
	defer mirror.Close()
	var said strings.Builder
	log := funcr.New(func(_, args string) { said.WriteString(args) }, funcr.Options{})
	options, err := parse("--terraform-download", "--terraform-releases-url="+mirror.URL+"/releases")
	require.NoError(t, err)

	_, err = findTerraform(t.Context(), log, options)
	require.ErrorContains(t, err, "--terraform-path")
	require.ErrorContains(t, err, "404")
	assert.Regexp(t, `^/releases/terraform/[0-9.]+/index.json$`, asked)
	assert.Contains(t, said.String(), "Downloading Terraform")
	assert.Contains(t, said.String(), mirror.URL)
}

func TestSupportedAPIs(t *testing.T) {
	assert.Equal(t, []infrav1.PrismAPI{"v3"}, supportedAPIs([]string{"1.9.5", "2.3.1"}))
	assert.Equal(t, []infrav1.PrismAPI{"v3", "v4"}, supportedAPIs([]string{"1.9.5", "2.4.2", "2.5.0"}))
}
