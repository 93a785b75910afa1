// Package access gives what is needed to be let in to Prism Central: its address from the configuration, the credentials
// from a Secret and the certificates from a ConfigMap. Both objects are watched, one by one and not whole namespaces, so that
// what changes in them takes effect at the next request and the rights to read them can name them.
package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
)

// Options of an Access.
type Options struct {
	Client kubernetes.Interface
	Config func() config.Config
	// Namespace is that of references which name none: the one of the pod. It may be empty when there are no such references.
	Namespace string
}

// Access follows the objects that the configuration refers to.
type Access struct {
	options Options
	// life is that of the informers.
	life <-chan struct{}

	mu              sync.Mutex
	secret, configs *watched
}

// New gives an Access that watches until the channel closes. It reads nothing before Endpoint is called.
func New(options Options, stop <-chan struct{}) *Access {
	return &Access{options: options, life: stop}
}

// Error is why credentials or certificates cannot be used. It names object, key and remedy, and never what is in a Secret.
type Error struct{ Err error }

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Endpoint gives where Prism Central is and how to be let in, as of now. It waits only for the first look at an object.
// Errors are *Error.
func (a *Access) Endpoint(ctx context.Context) (nutanix.Endpoint, error) {
	endpoint, err := a.endpoint(ctx, a.options.Config().PrismCentral)
	if err != nil {
		return nutanix.Endpoint{}, &Error{err}
	}
	return endpoint, nil
}

func (a *Access) endpoint(ctx context.Context, prism config.PrismCentral) (nutanix.Endpoint, error) {
	credentials, err := a.credentials(ctx, prism.CredentialRef)
	if err != nil {
		return nutanix.Endpoint{}, err
	}
	bundle, err := a.bundle(ctx, prism.AdditionalTrustBundle)
	if err != nil {
		return nutanix.Endpoint{}, err
	}
	return nutanix.Endpoint{
		Address: prism.Address, Port: prism.Port, Insecure: prism.Insecure, TrustBundle: bundle,
		Username: credentials.username, Password: credentials.password, APIKey: credentials.apiKey,
	}, nil
}

func (a *Access) credentials(ctx context.Context, ref *config.Reference) (credentials, error) {
	const origin = "prismCentral.credentialRef"
	namespace, err := a.namespace(ref.Namespace, origin)
	if err != nil {
		return credentials{}, err
	}
	found, err := a.watch(&a.secret, key{"Secret", namespace, ref.Name, origin}).get(ctx)
	if err != nil {
		return credentials{}, err
	}
	secret, ok := found.(*corev1.Secret)
	if !ok {
		return credentials{}, fmt.Errorf("reading Secret %s/%s: it is a %T", namespace, ref.Name, found)
	}
	parsed, err := parse(secret.Data[credentialsKey])
	if err != nil {
		return credentials{}, fmt.Errorf("reading Secret %s/%s, key %q: %w", namespace, ref.Name, credentialsKey, err)
	}
	return parsed, nil
}

// bundleKey is the key of the certificates in the ConfigMap.
const bundleKey = "ca.crt"

func (a *Access) bundle(ctx context.Context, ref *config.TrustBundle) ([]byte, error) {
	const origin = "prismCentral.additionalTrustBundle"
	switch {
	case ref == nil:
		return nil, nil
	case ref.IsData():
		return []byte(ref.Data), nil
	}
	namespace, err := a.namespace(ref.Namespace, origin)
	if err != nil {
		return nil, err
	}
	found, err := a.watch(&a.configs, key{"ConfigMap", namespace, ref.Name, origin}).get(ctx)
	if err != nil {
		return nil, err
	}
	configMap, ok := found.(*corev1.ConfigMap)
	if !ok {
		return nil, fmt.Errorf("reading ConfigMap %s/%s: it is a %T", namespace, ref.Name, found)
	}
	bundle, err := bundleOf(configMap)
	if err != nil {
		return nil, fmt.Errorf("reading ConfigMap %s/%s, key %q: %w: put the certificates of Prism Central's authority there", namespace, ref.Name, bundleKey, err)
	}
	return bundle, nil
}

// bundleOf gives the certificates in a ConfigMap. An empty value means none: the vendor's templates always make the key.
func bundleOf(configMap *corev1.ConfigMap) ([]byte, error) {
	bundle, exists := configMap.BinaryData[bundleKey]
	if text, isText := configMap.Data[bundleKey]; isText {
		bundle, exists = []byte(text), true
	}
	switch {
	case !exists:
		return nil, errors.New("there is no such key")
	case len(bytes.TrimSpace(bundle)) == 0:
		return nil, nil
	}
	return bundle, config.CheckBundle(bundle)
}

func (a *Access) namespace(given, origin string) (string, error) {
	if given == "" {
		given = a.options.Namespace
	}
	if given == "" {
		return "", fmt.Errorf("reading %s: the namespace is unknown: set %s.namespace, or the environment variable POD_NAMESPACE", origin, origin)
	}
	return given, nil
}

// watch gives the watched object of a place, another one than before when the configuration refers to another one.
func (a *Access) watch(place **watched, of key) *watched {
	a.mu.Lock()
	defer a.mu.Unlock()
	if *place != nil && (*place).key == of {
		return *place
	}
	if *place != nil {
		(*place).end()
	}
	*place = newWatched(of, a.informer(of), a.life)
	return *place
}

func (a *Access) informer(of key) cache.SharedIndexInformer {
	factory := informers.NewSharedInformerFactoryWithOptions(a.options.Client, 0,
		informers.WithNamespace(of.namespace), informers.WithTweakListOptions(of.only))
	if of.kind == "Secret" {
		return factory.Core().V1().Secrets().Informer()
	}
	return factory.Core().V1().ConfigMaps().Informer()
}
