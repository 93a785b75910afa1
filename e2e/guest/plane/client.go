package plane

import (
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/capnt/capnt/e2e/guest/pki"
)

// User is the Kubernetes user that a client certificate identifies.
type User struct {
	Name   string
	Groups []string
}

// Admin returns a user that has all permissions.
func Admin() User { return User{Name: "kubernetes-admin", Groups: []string{adminGroup}} }

// ClientConfig returns a client configuration for the user. It contains a new certificate that the authority has
// signed.
func ClientConfig(url string, authority *pki.Authority, user User) (*rest.Config, error) {
	pair, err := authority.Issue(pki.Request{CommonName: user.Name, Organizations: user.Groups})
	if err != nil {
		return nil, fmt.Errorf("issuing a client certificate for %s: %w", user.Name, err)
	}
	return &rest.Config{
		Host: url,
		TLSClientConfig: rest.TLSClientConfig{
			CAData: authority.PEM, CertData: pair.Certificate, KeyData: pair.Key,
		},
		QPS:   100,
		Burst: 200,
	}, nil
}

// WriteKubeconfig writes the client configuration of a user or a ServiceAccount as a kubeconfig file. The mode of the
// file is 0600.
func WriteKubeconfig(config *rest.Config, name, path string) error {
	k := clientcmdapi.NewConfig()
	k.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	k.AuthInfos[name] = &clientcmdapi.AuthInfo{
		ClientCertificateData: config.CertData, ClientKeyData: config.KeyData, Token: config.BearerToken,
	}
	k.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	k.CurrentContext = name
	// WriteToFile creates the file with mode 0600.
	if err := clientcmd.WriteToFile(*k, path); err != nil {
		return fmt.Errorf("writing kubeconfig %s: %w", path, err)
	}
	return nil
}
