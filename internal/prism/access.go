package prism

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/prism/transport"
)

// CredentialError means that the credentials of a NutanixCluster cannot be read, because the reference to the Secret, the Secret itself
// or its content is invalid. The error never contains the content.
type CredentialError struct {
	// Secret is the namespace/name of the Secret. It is empty if the NutanixCluster does not reference a Secret.
	Secret string
	Reason string
	Err    error
}

func (e *CredentialError) Error() string {
	if e.Secret == "" {
		return "resolving the credentials of Prism Central: " + e.Reason
	}
	text := fmt.Sprintf("resolving the credentials of Prism Central from key %q of Secret %s: %s", infrav1.NutanixCredentialKey, e.Secret, e.Reason)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *CredentialError) Unwrap() error { return e.Err }

// TrustBundleError means that the additional trust bundle of a NutanixCluster cannot be read.
type TrustBundleError struct {
	// Source describes where the bundle is stored: spec.prismCentral.additionalTrustBundle.data, or ConfigMap namespace/name.
	Source string
	Reason string
	Err    error
}

func (e *TrustBundleError) Error() string {
	text := fmt.Sprintf("resolving the trust bundle of Prism Central from %s: %s", e.Source, e.Reason)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *TrustBundleError) Unwrap() error { return e.Err }

const credentialRemedy = `write a JSON array like [{"type":"basic_auth","data":{"prismCentral":{"username":"...","password":"..."}}}]`

// upstream returns the address, the credentials and the trust bundle for the Prism Central of a cluster. A *CredentialError or
// *TrustBundleError requires a correction by the user. All other errors come from the API server.
func upstream(ctx context.Context, reader client.Reader, cluster *infrav1.NutanixCluster) (Upstream, error) {
	endpoint := cluster.Spec.PrismCentral
	if endpoint == nil {
		return Upstream{}, &CredentialError{Reason: "spec.prismCentral is not set; set its address and credentialRef"}
	}
	credentials, err := credentialsOf(ctx, reader, endpoint.CredentialRef, cluster.Namespace)
	if err != nil {
		return Upstream{}, err
	}
	bundle, err := trustBundleOf(ctx, reader, endpoint.AdditionalTrustBundle, cluster.Namespace)
	if err != nil {
		return Upstream{}, err
	}
	return Upstream{
		Address:  address(endpoint),
		Insecure: endpoint.Insecure,
		CABundle: bundle,
		Username: credentials.Username,
		Password: credentials.Password,
		APIKey:   credentials.APIKey,
	}, nil
}

func address(endpoint *infrav1.NutanixPrismEndpoint) string {
	port := endpoint.Port
	if port == 0 {
		port = infrav1.DefaultPrismPort
	}
	return net.JoinHostPort(strings.Trim(endpoint.Address, "[]"), strconv.Itoa(int(port)))
}

func credentialsOf(ctx context.Context, reader client.Reader, ref *infrav1.NutanixCredentialReference, namespace string) (Credentials, error) {
	if ref == nil || ref.Name == "" {
		return Credentials{}, &CredentialError{Reason: "spec.prismCentral.credentialRef is not set; set the name of a Secret"}
	}
	key := objectKey(ref.Namespace, namespace, ref.Name)
	var secret corev1.Secret
	if err := reader.Get(ctx, key, &secret); err != nil {
		if apierrors.IsNotFound(err) {
			return Credentials{}, &CredentialError{Secret: key.String(), Reason: "the Secret does not exist; create it, or correct spec.prismCentral.credentialRef", Err: err}
		}
		return Credentials{}, fmt.Errorf("reading Secret %s with the credentials of Prism Central: %w", key, err)
	}
	data, found := secret.Data[infrav1.NutanixCredentialKey]
	if !found {
		return Credentials{}, &CredentialError{Secret: key.String(), Reason: "the Secret has no such key; " + credentialRemedy}
	}
	credentials, err := ParseCredentials(data)
	if err != nil {
		return Credentials{}, &CredentialError{Secret: key.String(), Reason: "the value is not usable; " + credentialRemedy, Err: err}
	}
	return credentials, nil
}

func trustBundleOf(ctx context.Context, reader client.Reader, ref *infrav1.NutanixTrustBundleReference, namespace string) ([]byte, error) {
	if ref == nil {
		return nil, nil
	}
	source := "spec.prismCentral.additionalTrustBundle.data"
	bundle := []byte(ref.Data)
	if ref.Kind == infrav1.NutanixTrustBundleKindConfigMap {
		key := objectKey(ref.Namespace, namespace, ref.Name)
		source = fmt.Sprintf("key %q of ConfigMap %s", infrav1.NutanixTrustBundleKey, key)
		var configMap corev1.ConfigMap
		if err := reader.Get(ctx, key, &configMap); err != nil {
			if apierrors.IsNotFound(err) {
				return nil, &TrustBundleError{Source: source, Reason: "the ConfigMap does not exist; create it, or correct spec.prismCentral.additionalTrustBundle", Err: err}
			}
			return nil, fmt.Errorf("reading ConfigMap %s with the trust bundle of Prism Central: %w", key, err)
		}
		found := false
		if bundle, found = configMapBundle(&configMap); !found {
			return nil, &TrustBundleError{Source: source, Reason: "the ConfigMap has no such key; put PEM certificates there"}
		}
		if len(bytes.TrimSpace(bundle)) == 0 {
			return nil, nil // cluster templates create the key with an empty value if no certificate is needed
		}
	}
	if err := transport.CheckBundle(bundle); err != nil {
		return nil, &TrustBundleError{Source: source, Reason: "it is not usable; put PEM certificates there", Err: err}
	}
	return bundle, nil
}

func configMapBundle(configMap *corev1.ConfigMap) (bundle []byte, found bool) {
	if data, found := configMap.Data[infrav1.NutanixTrustBundleKey]; found {
		return []byte(data), true
	}
	bundle, found = configMap.BinaryData[infrav1.NutanixTrustBundleKey]
	return bundle, found
}

func objectKey(namespace, fallback, name string) client.ObjectKey {
	if namespace == "" {
		namespace = fallback
	}
	return client.ObjectKey{Namespace: namespace, Name: name}
}
