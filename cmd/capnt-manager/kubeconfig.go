package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// contextName is the name of cluster, user and context in the kubeconfig.
const contextName = "management"

// writeKubeconfig writes a kubeconfig with which Terraform's kubernetes backend accesses the management cluster as the manager. It
// returns the path. Other users cannot read the file.
func writeKubeconfig(dir string, config *rest.Config) (string, error) {
	kubeconfig, err := newKubeconfig(config)
	if err != nil {
		return "", err
	}
	content, err := clientcmd.Write(*kubeconfig)
	if err != nil {
		return "", fmt.Errorf("encoding the kubeconfig for Terraform's kubernetes backend: %w", err)
	}
	path := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return "", fmt.Errorf("writing the kubeconfig for Terraform's kubernetes backend to --scratch-dir: %w", err)
	}
	return path, nil
}

// newKubeconfig converts a client configuration to a kubeconfig. It refers to files by path, so that the next run reads a rotated
// token or certificate.
func newKubeconfig(config *rest.Config) (*clientcmdapi.Config, error) {
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("reading the address of the management cluster from --kubeconfig: %w", err)
	}
	proxy, err := proxyURL(config, server)
	if err != nil {
		return nil, err
	}
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[contextName] = &clientcmdapi.Cluster{
		Server:                   server.String(),
		TLSServerName:            config.ServerName,
		InsecureSkipTLSVerify:    config.Insecure,
		CertificateAuthority:     config.CAFile,
		CertificateAuthorityData: config.CAData,
		ProxyURL:                 proxy,
	}
	kubeconfig.AuthInfos[contextName] = authentication(config)
	kubeconfig.Contexts[contextName] = &clientcmdapi.Context{Cluster: contextName, AuthInfo: contextName}
	kubeconfig.CurrentContext = contextName
	return kubeconfig, nil
}

func authentication(config *rest.Config) *clientcmdapi.AuthInfo {
	user := &clientcmdapi.AuthInfo{
		ClientCertificate:     config.CertFile,
		ClientCertificateData: config.CertData,
		ClientKey:             config.KeyFile,
		ClientKeyData:         config.KeyData,
		Token:                 config.BearerToken,
		TokenFile:             config.BearerTokenFile,
		Username:              config.Username,
		Password:              config.Password,
		Exec:                  config.ExecProvider,
		AuthProvider:          config.AuthProvider,
		Impersonate:           config.Impersonate.UserName,
		ImpersonateUID:        config.Impersonate.UID,
		ImpersonateGroups:     config.Impersonate.Groups,
		ImpersonateUserExtra:  config.Impersonate.Extra,
	}
	if user.TokenFile != "" {
		user.Token = "" // the token read at the start of the manager would override the current one in the file
	}
	return user
}

// proxyURL returns the proxy in the manager's kubeconfig, or an empty string. Terraform reads proxies of the environment itself.
func proxyURL(config *rest.Config, server *url.URL) (string, error) {
	if config.Proxy == nil {
		return "", nil
	}
	proxy, err := config.Proxy(&http.Request{URL: server})
	if err != nil {
		return "", fmt.Errorf("reading the proxy of the management cluster from --kubeconfig: %w", err)
	}
	if proxy == nil {
		return "", nil
	}
	return proxy.String(), nil
}
