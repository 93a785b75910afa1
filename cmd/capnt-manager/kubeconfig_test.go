package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// read loads a kubeconfig as Terraform's kubernetes backend does.
func read(t *testing.T, path string) *rest.Config {
	t.Helper()
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: path}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{}).ClientConfig()
	require.NoError(t, err)
	return config
}

func TestKubeconfigContainsAccessOfManager(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	caFile, tokenFile := file("ca.crt", "CA"), file("token", "token-1")
	certFile, keyFile := file("tls.crt", "CERT"), file("tls.key", "KEY")

	for name, tc := range map[string]struct {
		config rest.Config
		want   func(t *testing.T, got *rest.Config)
	}{
		"service account of a pod": {
			config: rest.Config{
				Host: "https://10.96.0.1:443", BearerToken: "token-0", BearerTokenFile: tokenFile,
				TLSClientConfig: rest.TLSClientConfig{CAFile: caFile},
			},
			want: func(t *testing.T, got *rest.Config) {
				assert.Equal(t, "https://10.96.0.1:443", got.Host)
				assert.Equal(t, tokenFile, got.BearerTokenFile)
				assert.Equal(t, "token-1", got.BearerToken, "what is in the file now, not what was at the start")
				assert.Equal(t, caFile, got.CAFile)
			},
		},
		"client certificate in the kubeconfig": {
			config: rest.Config{Host: "https://127.0.0.1:6443", TLSClientConfig: rest.TLSClientConfig{
				CAData: []byte("CA"), CertData: []byte("CERT"), KeyData: []byte("KEY"), ServerName: "kubernetes",
			}},
			want: func(t *testing.T, got *rest.Config) {
				assert.Equal(t, []byte("CA"), got.CAData)
				assert.Equal(t, []byte("CERT"), got.CertData)
				assert.Equal(t, []byte("KEY"), got.KeyData)
				assert.Equal(t, "kubernetes", got.ServerName)
			},
		},
		"client certificate in files": {
			config: rest.Config{Host: "https://127.0.0.1:6443", TLSClientConfig: rest.TLSClientConfig{
				CAFile: caFile, CertFile: certFile, KeyFile: keyFile,
			}},
			want: func(t *testing.T, got *rest.Config) {
				assert.Equal(t, certFile, got.CertFile)
				assert.Equal(t, keyFile, got.KeyFile)
			},
		},
		"token, proxy and impersonation": {
			config: rest.Config{
				Host: "https://api.example.com/prefix", BearerToken: "secret",
				Proxy:       func(*http.Request) (*url.URL, error) { return url.Parse("socks5://127.0.0.1:1080") },
				Impersonate: rest.ImpersonationConfig{UserName: "somebody", Groups: []string{"g"}},
			},
			want: func(t *testing.T, got *rest.Config) {
				assert.Equal(t, "https://api.example.com/prefix", got.Host)
				assert.Equal(t, "secret", got.BearerToken)
				assert.Equal(t, "somebody", got.Impersonate.UserName)
				proxy, err := got.Proxy(&http.Request{})
				require.NoError(t, err)
				assert.Equal(t, "socks5://127.0.0.1:1080", proxy.String())
			},
		},
		"exec plugin": {
			config: rest.Config{Host: "https://127.0.0.1:6443", ExecProvider: &clientcmdapi.ExecConfig{
				APIVersion: "client.authentication.k8s.io/v1", Command: "aws", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
			}},
			want: func(t *testing.T, got *rest.Config) {
				assert.Equal(t, "aws", got.ExecProvider.Command)
			},
		},
		"without verification": {
			config: rest.Config{Host: "127.0.0.1:6443", TLSClientConfig: rest.TLSClientConfig{Insecure: true}},
			want: func(t *testing.T, got *rest.Config) {
				assert.True(t, got.Insecure)
				assert.Equal(t, "https://127.0.0.1:6443", got.Host)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			path, err := writeKubeconfig(t.TempDir(), &tc.config)
			require.NoError(t, err)
			info, err := os.Stat(path)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
			tc.want(t, read(t, path))
		})
	}
}
