package terraform

import (
	"encoding/pem"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// childEnvironments returns the environments of all processes whose working directory is dir or below dir: of Terraform processes, and of
// providers that were not started by Terraform.
func childEnvironments(t *testing.T, dir string) (terraform, providers []map[string]string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	require.NoError(t, err)
	for _, link := range links {
		cwd, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(cwd, dir) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(filepath.Dir(link), "environ"))
		if err != nil {
			continue
		}
		environment := map[string]string{}
		for entry := range strings.SplitSeq(strings.TrimRight(string(content), "\x00"), "\x00") {
			name, value, _ := strings.Cut(entry, "=")
			environment[name] = value
		}
		if environment["TF_PLUGIN_MAGIC_COOKIE"] == "" {
			terraform = append(terraform, environment)
		} else {
			providers = append(providers, environment)
		}
	}
	return terraform, providers
}

// TestRunsInheritNoEnvironment changes the environment of this process, so it must not run in parallel with other tests.
func TestRunsInheritNoEnvironment(t *testing.T) {
	t.Setenv("CAPNT_CANARY", "canary")
	t.Setenv("TF_VAR_canary", "canary")
	t.Setenv("NUTANIX_PASSWORD", "of-the-manager")
	for _, binary := range binaries(t) {
		t.Run(binary.Product, func(t *testing.T) {
			terraform := newTerraform(t, Config{Binary: binary, Env: map[string]string{"BASE": "base", "BOTH": "base", "HOME": "/elsewhere"}})
			server := newStateServer(t)
			run := open(t, terraform, RunOptions{
				Files: workspace(server.backend(), oneResource("one")),
				Env:   map[string]string{"OWN": "own", "BOTH": "own"},

				MemoryLimit: 32,
			})
			seen := make(chan [2][]map[string]string, 1)
			server.whenRead(func() {
				children, providers := childEnvironments(t, terraform.config.ScratchDir)
				select {
				case seen <- [2][]map[string]string{children, providers}:
				default:
				}
			})
			_, err := run.State(t.Context())
			require.NoError(t, err)

			found := <-seen
			children, providers := found[0], found[1]
			require.Len(t, children, 1)
			require.Len(t, providers, 1)
			dir := string(run.dir)
			common := map[string]string{
				"PATH": searchPath, "LANG": "C.UTF-8", "GOGC": garbageCollection, "GOMEMLIMIT": "32MiB", "BASE": "base", "OWN": "own", "BOTH": "own",
				"HOME": dir + "/home", "TMPDIR": dir + "/t",
				"TF_CLI_CONFIG_FILE": dir + "/cli.tfrc", "SSL_CERT_FILE": dir + "/roots.pem",
				"CHECKPOINT_DISABLE": "1",
			}
			plugin := maps.Clone(common)
			maps.Copy(plugin, map[string]string{
				"TF_PLUGIN_MAGIC_COOKIE": providers[0]["TF_PLUGIN_MAGIC_COOKIE"], "PLUGIN_PROTOCOL_VERSIONS": "5,6",
			})
			assert.Equal(t, plugin, providers[0])
			maps.Copy(common, map[string]string{
				"TF_IN_AUTOMATION": "1", "TF_LOG": "", "TF_LOG_CORE": "", "TF_LOG_PATH": "", "TF_LOG_PROVIDER": "",
				"TF_APPEND_USER_AGENT": children[0]["TF_APPEND_USER_AGENT"],
			})
			assert.Equal(t, common, children[0])
		})
	}
}

func TestReservedVariablesAreRefused(t *testing.T) {
	t.Parallel()
	_, err := newTerraform(t, Config{}).Open(t.Context(), RunOptions{Env: map[string]string{"TF_VAR_user_data": "hush"}})
	require.ErrorContains(t, err, "TF_VAR_user_data")
	assert.NotContains(t, err.Error(), "hush")
}

func TestRunDirectoryIsPrivate(t *testing.T) {
	t.Parallel()
	run := open(t, newTerraform(t, Config{}), RunOptions{Files: map[string][]byte{"modules/machine/main.tf": nil}})
	require.NoError(t, filepath.WalkDir(string(run.dir), func(path string, entry os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		if entry.IsDir() && path == string(run.dir) {
			assert.Equal(t, os.FileMode(0o700), info.Mode().Perm(), path)
		}
		if strings.HasSuffix(path, ".tf") || strings.HasSuffix(path, ".pem") {
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), path)
		}
		return nil
	}))
}

func TestCABundleIsTrusted(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		state := &stateServer{}
		server := httptest.NewTLSServer(state)
		t.Cleanup(server.Close)
		state.url = server.URL
		files := workspace(state.backend(), oneResource("one"))
		bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})

		trusting := open(t, terraform, RunOptions{Files: files, CABundle: bundle})
		_, err := trusting.State(t.Context())
		require.NoError(t, err)

		_, err = terraform.Open(t.Context(), RunOptions{Files: files})
		if err == nil {
			doubting := open(t, terraform, RunOptions{Files: files})
			_, err = doubting.State(t.Context())
		}
		require.ErrorContains(t, err, "certificate")
	})
}

func TestTrustBundleContainsSystemCertificates(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "roots\nown\n", string(trustBundle([]byte("roots\n"), []byte("own"))))
	assert.Equal(t, "roots\n\n", string(trustBundle([]byte("roots"), nil)))
}
