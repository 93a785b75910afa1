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

// contextName names the one cluster, user and context of the kubeconfig.
const contextName = "management"

// writeKubeconfig writes the manager's own access to the management cluster as a kubeconfig, for Terraform's kubernetes
// backend, and returns its path. Only this user can read it.
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

// newKubeconfig expresses a client configuration as a kubeconfig. Files stay files, so that a rotated token or certificate
// is read again by the next run.
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
		user.Token = "" // what was in the file when the manager started would win over what is in it now
	}
	return user
}

// proxyURL is the proxy of the kubeconfig that the configuration came from. The environment's proxies reach Terraform by
// its environment.
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
