package prism

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// reader is a client.Reader that contains Secrets and ConfigMaps by namespace/name. If err is set, Get returns err.
type reader struct {
	client.Reader
	secrets    map[string]map[string][]byte
	configMaps map[string]corev1.ConfigMap
	err        error
}

func (r *reader) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	if r.err != nil {
		return r.err
	}
	switch object := object.(type) {
	case *corev1.Secret:
		if data, found := r.secrets[key.String()]; found {
			object.Data = data
			return nil
		}
		return apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, key.Name)
	case *corev1.ConfigMap:
		if configMap, found := r.configMaps[key.String()]; found {
			configMap.DeepCopyInto(object)
			return nil
		}
		return apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, key.Name)
	}
	return fmt.Errorf("unexpected %T", object)
}

func basicAuth(username, password string) map[string][]byte {
	return map[string][]byte{"credentials": fmt.Appendf(nil,
		`[{"type":"basic_auth","data":{"prismCentral":{"username":%q,"password":%q},"prismElements":null}}]`, username, password)}
}

// clusterOf returns a cluster that uses central, with the Secret and the trust bundle that newReader contains.
func clusterOf(central *central) *infrav1.NutanixCluster {
	cluster := &infrav1.NutanixCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "c1"}}
	address := central.Listener.Addr().String()
	var port int32
	host := address
	if _, err := fmt.Sscanf(address, "127.0.0.1:%d", &port); err == nil {
		host = "127.0.0.1"
	}
	cluster.Spec.PrismCentral = &infrav1.NutanixPrismEndpoint{
		Address:               host,
		Port:                  port,
		CredentialRef:         &infrav1.NutanixCredentialReference{Kind: infrav1.NutanixCredentialKindSecret, Name: "creds"},
		AdditionalTrustBundle: &infrav1.NutanixTrustBundleReference{Kind: infrav1.NutanixTrustBundleKindConfigMap, Name: "trust"},
	}
	return cluster
}

func newReader(central *central) *reader {
	return &reader{
		secrets:    map[string]map[string][]byte{"team/creds": basicAuth("admin", "pw")},
		configMaps: map[string]corev1.ConfigMap{"team/trust": {Data: map[string]string{"ca.crt": string(central.bundle())}}},
	}
}

func TestAccessFollowsRotations(t *testing.T) {
	central := newCentral(t)
	reader := newReader(central)
	resolver, cluster := NewResolver(reader, Options{}), clusterOf(central)

	first, err := resolver.Access(t.Context(), cluster)
	require.NoError(t, err)
	require.NoError(t, first.Client.Ping(t.Context()))
	assert.Equal(t, central.upstream(), first.Upstream)
	again, err := resolver.Access(t.Context(), cluster.DeepCopy())
	require.NoError(t, err)
	assert.Same(t, first.Client, again.Client, "one client for the same endpoint and credentials")

	reader.secrets["team/creds"] = basicAuth("admin", "rotated")
	rotated, err := resolver.Access(t.Context(), cluster)
	require.NoError(t, err)
	assert.NotSame(t, first.Client, rotated.Client)
	assert.Equal(t, "rotated", rotated.Upstream.Password)
	var refused *AuthenticationError
	require.ErrorAs(t, rotated.Client.Ping(t.Context()), &refused)

	reader.secrets["team/creds"] = basicAuth("admin", "pw")
	reader.configMaps["team/trust"] = corev1.ConfigMap{BinaryData: map[string][]byte{"ca.crt": append(central.bundle(), '\n')}}
	trusted, err := resolver.Access(t.Context(), cluster)
	require.NoError(t, err)
	assert.NotSame(t, first.Client, trusted.Client, "another trust bundle is another client")
	require.NoError(t, trusted.Client.Ping(t.Context()))
}

func TestUnusedClientsAreClosed(t *testing.T) {
	central := newCentral(t)
	reader := newReader(central)
	resolver, cluster := NewResolver(reader, Options{}), clusterOf(central)
	now := time.Unix(1000, 0)
	resolver.now = func() time.Time { return now }
	for i := range 5 {
		reader.secrets["team/creds"] = basicAuth("admin", fmt.Sprint("pw", i))
		_, err := resolver.Access(t.Context(), cluster)
		require.NoError(t, err)
	}
	assert.Len(t, resolver.clients, 5)
	now = now.Add(clientIdle + time.Second)
	_, err := resolver.Access(t.Context(), cluster)
	require.NoError(t, err)
	assert.Len(t, resolver.clients, 1)
}

func TestAccessErrors(t *testing.T) {
	central := newCentral(t)
	for _, test := range []struct {
		name    string
		change  func(*infrav1.NutanixCluster, *reader)
		target  any
		message []string
	}{
		{"no endpoint", func(c *infrav1.NutanixCluster, _ *reader) { c.Spec.PrismCentral = nil }, new(*CredentialError), []string{"spec.prismCentral is not set"}},
		{"no reference", func(c *infrav1.NutanixCluster, _ *reader) { c.Spec.PrismCentral.CredentialRef = nil }, new(*CredentialError), []string{"spec.prismCentral.credentialRef is not set"}},
		{"no Secret", func(_ *infrav1.NutanixCluster, r *reader) { r.secrets = nil }, new(*CredentialError), []string{"Secret team/creds", "does not exist; create it"}},
		{"no key", func(_ *infrav1.NutanixCluster, r *reader) { r.secrets["team/creds"] = map[string][]byte{"x": nil} }, new(*CredentialError), []string{"Secret team/creds", `"credentials"`, "no such key", "basic_auth"}},
		{"bad content", func(_ *infrav1.NutanixCluster, r *reader) {
			r.secrets["team/creds"] = map[string][]byte{"credentials": []byte("hunter2")}
		}, new(*CredentialError), []string{"Secret team/creds", "not usable", "invalid at byte 1"}},
		{"Secret of another namespace", func(c *infrav1.NutanixCluster, _ *reader) {
			c.Spec.PrismCentral.CredentialRef.Namespace = "other"
		}, new(*CredentialError), []string{"Secret other/creds"}},
		{"no ConfigMap", func(_ *infrav1.NutanixCluster, r *reader) { r.configMaps = nil }, new(*TrustBundleError), []string{"ConfigMap team/trust", "does not exist"}},
		{"empty ConfigMap", func(_ *infrav1.NutanixCluster, r *reader) {
			r.configMaps["team/trust"] = corev1.ConfigMap{}
		}, new(*TrustBundleError), []string{`key "ca.crt" of ConfigMap team/trust`, "no such key"}},
		{"bad inline bundle", func(c *infrav1.NutanixCluster, _ *reader) {
			c.Spec.PrismCentral.AdditionalTrustBundle = &infrav1.NutanixTrustBundleReference{Kind: infrav1.NutanixTrustBundleKindString, Data: "text"}
		}, new(*TrustBundleError), []string{"spec.prismCentral.additionalTrustBundle.data", "contains no PEM certificate"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cluster, reader := clusterOf(central), newReader(central)
			test.change(cluster, reader)
			_, err := NewResolver(reader, Options{}).Access(t.Context(), cluster)
			require.Error(t, err)
			require.ErrorAs(t, err, test.target)
			for _, message := range test.message {
				assert.ErrorContains(t, err, message)
			}
			assert.NotContains(t, err.Error(), "hunter2")
			assert.NotContains(t, err.Error(), "pw")
		})
	}
	t.Run("the API server fails", func(t *testing.T) {
		reader := newReader(central)
		reader.err = errors.New("etcd is slow")
		_, err := NewResolver(reader, Options{}).Access(t.Context(), clusterOf(central))
		require.ErrorIs(t, err, reader.err)
		assert.ErrorContains(t, err, "reading Secret team/creds")
		var credential *CredentialError
		assert.NotErrorAs(t, err, &credential, "nobody has to cure it")
	})
}

// TestEmptyTrustBundleIsIgnored checks a trust bundle that contains no certificates. Cluster templates create such a bundle if no
// certificate is needed.
func TestEmptyTrustBundleIsIgnored(t *testing.T) {
	central := newCentral(t)
	for name, configMap := range map[string]corev1.ConfigMap{
		"data":       {Data: map[string]string{"ca.crt": "\n"}},
		"binaryData": {BinaryData: map[string][]byte{"ca.crt": nil}},
	} {
		reader := newReader(central)
		reader.configMaps["team/trust"] = configMap
		access, err := NewResolver(reader, Options{}).Access(t.Context(), clusterOf(central))
		require.NoError(t, err, name)
		var certificate *CertificateError
		assert.ErrorAs(t, access.Client.Ping(t.Context()), &certificate, "%s: the system's roots do not know this one", name)
	}
}

func TestInlineTrustBundle(t *testing.T) {
	central := newCentral(t)
	for name, data := range map[string]string{
		"PEM": string(central.bundle()),
	} {
		cluster := clusterOf(central)
		cluster.Spec.PrismCentral.AdditionalTrustBundle = &infrav1.NutanixTrustBundleReference{Kind: infrav1.NutanixTrustBundleKindString, Data: data}
		access, err := NewResolver(newReader(central), Options{}).Access(t.Context(), cluster)
		require.NoError(t, err, name)
		assert.NoError(t, access.Client.Ping(t.Context()), name)
	}
}

func TestAddress(t *testing.T) {
	for want, endpoint := range map[string]infrav1.NutanixPrismEndpoint{
		"pc.example.com:9440": {Address: "pc.example.com"},
		"10.0.0.1:443":        {Address: "10.0.0.1", Port: 443},
		"[fd00::1]:9440":      {Address: "fd00::1"},
		"[fd00::2]:9440":      {Address: "[fd00::2]"},
	} {
		assert.Equal(t, want, address(&endpoint))
	}
}

func TestParseCredentials(t *testing.T) {
	for _, test := range []struct {
		name, data string
		want       Credentials
		err        string
	}{
		{"basic auth", `[{"type":"basic_auth","data":{"prismCentral":{"username":"u","password":"p"},"prismElements":[{"name":"pe","username":"x","password":"y"}]}}]`, Credentials{Username: "u", Password: "p"}, ""},
		{"API key", `[{"type":"api_key","data":{"prismCentral":{"apiKey":"k"}}}]`, Credentials{APIKey: "k"}, ""},
		{"only the first entry is used", `[{"type":"api_key","data":{"prismCentral":{"apiKey":"k"}}},{"type":"other"}]`, Credentials{APIKey: "k"}, ""},
		{"not JSON", `hunter2`, Credentials{}, "invalid at byte 1"},
		{"not an array", `{"type":"basic_auth"}`, Credentials{}, "not a JSON array"},
		{"empty", `[]`, Credentials{}, "is empty"},
		{"unknown type", `[{"type":"hunter2"}]`, Credentials{}, `must be "basic_auth" or "api_key"`},
		{"no data", `[{"type":"basic_auth"}]`, Credentials{}, "data of its first entry is missing"},
		{"no password", `[{"type":"basic_auth","data":{"prismCentral":{"username":"hunter2"}}}]`, Credentials{}, "prismCentral.password of its first entry is empty"},
		{"a number", `[{"type":"basic_auth","data":{"prismCentral":{"username":"u","password":22222}}}]`, Credentials{}, "prismCentral.password is not of type string"},
		{"no key", `[{"type":"api_key","data":{"prismCentral":{}}}]`, Credentials{}, "apiKey of its first entry is empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseCredentials([]byte(test.data))
			assert.Equal(t, test.want.Username+test.want.Password+test.want.APIKey, got.Username+got.Password+got.APIKey)
			if test.err == "" {
				require.NoError(t, err)
				assert.NotContains(t, fmt.Sprintf("%v %+v %#v", got, got, got), `"u"`)
				return
			}
			require.ErrorContains(t, err, test.err)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.NotContains(t, err.Error(), "22222")
		})
	}
}
