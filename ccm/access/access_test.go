package access_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/capnt/capnt/ccm/access"
	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
)

// How long and how often the tests wait for an informer.
const (
	deadline = time.Minute
	tick     = 5 * time.Millisecond
)

// secretText must never be in an error.
const secretText = "hunter2"

func basic(user, password string) string {
	return `[{"type": "basic_auth", "data": {"prismCentral": {"username": "` + user + `", "password": "` + password + `"}, "prismElements": null}}]`
}

func secret(namespace, name, content string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Data:       map[string][]byte{"credentials": []byte(content)},
	}
}

// world is an Access with a fake API server below it and a configuration that can be changed.
type world struct {
	*access.Access
	client *fake.Clientset
	config atomic.Pointer[config.Config]
	// watches is how many watches were begun.
	watches atomic.Int64
}

func newWorld(t *testing.T, objects ...runtime.Object) *world {
	t.Helper()
	w := &world{client: fake.NewClientset(objects...)}
	w.client.PrependWatchReactor("*", func(action clienttesting.Action) (bool, watch.Interface, error) {
		begun, err := w.client.Tracker().Watch(action.GetResource(), action.GetNamespace())
		w.watches.Add(1)
		return true, begun, err
	})
	w.set(func(*config.PrismCentral) {})
	w.Access = access.New(access.Options{
		Client: w.client, Config: func() config.Config { return *w.config.Load() }, Namespace: "kube-system",
	}, t.Context().Done())
	return w
}

func (w *world) set(change func(*config.PrismCentral)) {
	c := config.Config{PrismCentral: config.PrismCentral{
		Address: "pc", Port: 9440, CredentialRef: &config.Reference{Kind: "secret", Name: "creds"},
	}}
	change(&c.PrismCentral)
	w.config.Store(&c)
}

// watched waits until that many objects are watched: what changes between the list and the watch of an informer is never told by
// a fake API server.
func (w *world) watched(t *testing.T, objects int64) {
	t.Helper()
	require.Eventually(t, func() bool { return w.watches.Load() == objects }, deadline, tick)
}

// becomes waits until the endpoint is as wanted.
func (w *world) becomes(t *testing.T, want nutanix.Endpoint) {
	t.Helper()
	var got nutanix.Endpoint
	var err error
	require.Eventually(t, func() bool {
		got, err = w.Endpoint(t.Context())
		return err == nil && assert.ObjectsAreEqual(want, got)
	}, deadline, tick, "the endpoint is not %+v", want)
}

func TestEveryFormOfCredentials(t *testing.T) {
	for name, tc := range map[string]struct {
		content string
		want    nutanix.Endpoint
	}{
		"user and password": {basic("me", secretText), nutanix.Endpoint{Username: "me", Password: secretText}},
		"key of a service account": {`[{"type": "api_key", "data": {"prismCentral": {"apiKey": "` + secretText + `"}}}]`,
			nutanix.Endpoint{APIKey: secretText}},
		"the first of several": {`[{"type": "basic_auth", "data": {"prismCentral": {"username": "me", "password": "p"}}}, {"type": "else"}]`,
			nutanix.Endpoint{Username: "me", Password: "p"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, secret("kube-system", "creds", tc.content))
			tc.want.Address, tc.want.Port = "pc", 9440
			got, err := w.Endpoint(t.Context())
			require.NoError(t, err)
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestErrorsNameTheKeyAndTheRemedyAndNoSecret(t *testing.T) {
	for name, tc := range map[string]struct{ content, want string }{
		"empty":             {"", "it is missing or empty: it must hold [{"},
		"no JSON":           {secretText, "the syntax is wrong at byte 1"},
		"JSON cut off":      {`[{"type": "` + secretText, "the syntax is wrong at byte 18"},
		"no list":           {`{"username": "` + secretText + `"}`, "it is no JSON list of credentials"},
		"a list of texts":   {`["` + secretText + `"]`, "it is no JSON list of credentials"},
		"an empty list":     {"[]", "the list is empty"},
		"an unknown type":   {`[{"type": "` + secretText + `"}]`, "the type of the first entry is unknown"},
		"a type that is no": {`[{"type": 12345678}]`, "(type is of the wrong type)"},
		"data that is text": {`[{"type": "basic_auth", "data": "` + secretText + `"}]`, "the data of the first entry, of type basic_auth, is wrong"},
		"no data":           {`[{"type": "api_key"}]`, "[0].data.prismCentral.apiKey is missing or empty"},
		"no user":           {basic("", secretText), "[0].data.prismCentral.username is missing or empty"},
		"no password":       {basic(secretText, ""), "[0].data.prismCentral.password is missing or empty"},
		"a number":          {`[{"type": "basic_auth", "data": {"prismCentral": {"username": "me", "password": 12345678}}}]`, "(prismCentral.password is of the wrong type)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newWorld(t, secret("kube-system", "creds", tc.content)).Endpoint(t.Context())
			require.ErrorContains(t, err, `reading Secret kube-system/creds, key "credentials": `)
			require.ErrorContains(t, err, tc.want)
			assert.NotContains(t, err.Error(), secretText)
			assert.NotContains(t, err.Error(), "12345678")
			var own *access.Error
			assert.ErrorAs(t, err, &own)
		})
	}
}

func TestChangedObjectsTakeEffectAtTheNextRequest(t *testing.T) {
	bundle := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "ca"},
		Data:       map[string]string{"ca.crt": certificates[0]},
	}
	w := newWorld(t, secret("kube-system", "creds", basic("me", "one")), bundle)
	w.set(func(p *config.PrismCentral) {
		p.AdditionalTrustBundle = &config.TrustBundle{Kind: "ConfigMap", Name: "ca"}
	})
	want := nutanix.Endpoint{Address: "pc", Port: 9440, Username: "me", Password: "one", TrustBundle: []byte(certificates[0])}
	w.becomes(t, want)
	w.watched(t, 2)

	_, err := w.client.CoreV1().Secrets("kube-system").Update(t.Context(), secret("kube-system", "creds", basic("me", "two")), metav1.UpdateOptions{})
	require.NoError(t, err)
	want.Password = "two"
	w.becomes(t, want)

	bundle.Data, bundle.BinaryData = nil, map[string][]byte{"ca.crt": []byte(certificates[1])}
	_, err = w.client.CoreV1().ConfigMaps("kube-system").Update(t.Context(), bundle, metav1.UpdateOptions{})
	require.NoError(t, err)
	want.TrustBundle = []byte(certificates[1])
	w.becomes(t, want)

	w.set(func(p *config.PrismCentral) {
		p.Insecure = true
		p.AdditionalTrustBundle = &config.TrustBundle{Kind: "String", Data: certificates[0]}
	})
	want.Insecure, want.TrustBundle = true, []byte(certificates[0])
	w.becomes(t, want)
}

func TestAnotherReferenceIsFollowedAtOnce(t *testing.T) {
	w := newWorld(t, secret("kube-system", "creds", basic("me", "one")), secret("other", "else", basic("you", "two")))
	w.becomes(t, nutanix.Endpoint{Address: "pc", Port: 9440, Username: "me", Password: "one"})

	w.set(func(p *config.PrismCentral) { p.CredentialRef = &config.Reference{Name: "else", Namespace: "other"} })
	got, err := w.Endpoint(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "two", got.Password)
}

func TestASecretThatAppearsLateIsFound(t *testing.T) {
	w := newWorld(t)
	_, err := w.Endpoint(t.Context())
	require.ErrorContains(t, err, "reading Secret kube-system/creds (prismCentral.credentialRef): it does not exist")
	w.watched(t, 1)

	_, err = w.client.CoreV1().Secrets("kube-system").Create(t.Context(), secret("kube-system", "creds", basic("me", "one")), metav1.CreateOptions{})
	require.NoError(t, err)
	w.becomes(t, nutanix.Endpoint{Address: "pc", Port: 9440, Username: "me", Password: "one"})

	require.NoError(t, w.client.CoreV1().Secrets("kube-system").Delete(t.Context(), "creds", metav1.DeleteOptions{}))
	require.Eventually(t, func() bool { _, err := w.Endpoint(t.Context()); return err != nil }, deadline, tick)
}

func TestWithoutRightsTheErrorSaysWhich(t *testing.T) {
	w := newWorld(t)
	w.client.PrependReactor("list", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(corev1.Resource("secrets"), "creds", errors.New("no role"))
	})
	w.set(func(p *config.PrismCentral) { p.CredentialRef.Namespace = "other" })
	_, err := w.Endpoint(t.Context())
	require.ErrorContains(t, err, "reading Secret other/creds (prismCentral.credentialRef): the service account needs the right to list and watch it there")
}

func TestABundleWithoutCertificatesIsAnError(t *testing.T) {
	for name, tc := range map[string]struct {
		data map[string]string
		want string
	}{
		"without the key": {map[string]string{"tls.crt": certificates[0]}, "there is no such key"},
		"without keys":    {nil, "there is no such key"},
		"no PEM":          {map[string]string{"ca.crt": "nonsense"}, "there is no PEM certificate"},
		"cut off":         {map[string]string{"ca.crt": certificates[0][:100]}, "there is no PEM certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := withBundle(t, &corev1.ConfigMap{Data: tc.data}).Endpoint(t.Context())
			assert.ErrorContains(t, err, `reading ConfigMap other/ca, key "ca.crt": `+tc.want)
		})
	}
}

func TestAnEmptyBundleMeansNoFurtherCertificates(t *testing.T) {
	for name, configMap := range map[string]*corev1.ConfigMap{
		"no text":     {Data: map[string]string{"ca.crt": ""}},
		"white space": {Data: map[string]string{"ca.crt": " \n\t\n"}},
		"no bytes":    {BinaryData: map[string][]byte{"ca.crt": nil}},
		"a line end":  {BinaryData: map[string][]byte{"ca.crt": []byte("\n")}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := withBundle(t, configMap).Endpoint(t.Context())
			require.NoError(t, err)
			assert.Equal(t, nutanix.Endpoint{Address: "pc", Port: 9440, Username: "me", Password: "one"}, got)
		})
	}
}

// withBundle is a world whose configuration refers to the ConfigMap.
func withBundle(t *testing.T, configMap *corev1.ConfigMap) *world {
	t.Helper()
	configMap.Namespace, configMap.Name = "other", "ca"
	w := newWorld(t, secret("kube-system", "creds", basic("me", "one")), configMap)
	w.set(func(p *config.PrismCentral) {
		p.AdditionalTrustBundle = &config.TrustBundle{Kind: "ConfigMap", Name: "ca", Namespace: "other"}
	})
	return w
}

func TestWithoutANamespaceTheErrorSaysHowToGiveOne(t *testing.T) {
	w := newWorld(t)
	a := access.New(access.Options{Client: w.client, Config: func() config.Config { return *w.config.Load() }}, t.Context().Done())
	_, err := a.Endpoint(t.Context())
	assert.ErrorContains(t, err, "set prismCentral.credentialRef.namespace, or the environment variable POD_NAMESPACE")
}

func TestWaitingForTheFirstLookEndsWithTheContext(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	defer close(release)
	w.client.PrependReactor("list", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		<-release
		return false, nil, nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := w.Endpoint(ctx)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}
