package stack

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/capnt/capnt/e2e/env"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/toolbox"
)

const oneUser = `[{"type": "basic_auth", "data": {"prismCentral": {"username": "admin", "password": "a\"b"}}}]`

// secret returns a Secret with the fields in content, which is YAML.
func secret(content string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte("kind: Secret\nmetadata: {name: creds}\n"+content), object); err != nil {
		panic(err)
	}
	return object
}

func TestCredentialsInSecretsOfAManifest(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte(oneUser))
	for name, test := range map[string]struct{ content, problem string }{
		"in clear":        {content: "stringData: {credentials: '" + oneUser + "'}"},
		"in base64":       {content: "data: {credentials: " + encoded + "}"},
		"clear wins":      {content: "stringData: {credentials: '" + oneUser + "'}\ndata: {credentials: bm9uZQ==}"},
		"none":            {content: "data: {ca.crt: ''}", problem: "no Secret in it has credentials"},
		"no user":         {content: `stringData: {credentials: '[{"type": "api_key"}]'}`, problem: "no Secret in it has credentials"},
		"no base64":       {content: "data: {credentials: '[{}]'}", problem: "data.credentials of Secret creds"},
		"no JSON":         {content: "stringData: {credentials: admin}", problem: "Secret creds"},
		"no JSON encoded": {content: "data: {credentials: YWRtaW4=}", problem: "Secret creds"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := CredentialsIn([]*unstructured.Unstructured{{Object: map[string]any{"kind": "Cluster"}}, secret(test.content)})
			if test.problem != "" {
				require.ErrorContains(t, err, test.problem)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, Credentials{"admin", `a"b`}, got)
		})
	}
}

// The Secret that capnt-ccm reads must contain the password unchanged, regardless of the characters in the password.
func TestTemplateEscapesPasswords(t *testing.T) {
	const password = `a"b\c <&> $HOME`
	inventory, err := os.ReadFile("../prismsim/testdata/inventory.yaml")
	require.NoError(t, err)
	parsed, err := prismsim.ParseInventory(inventory)
	require.NoError(t, err)
	central, err := prismsim.New(prismsim.Options{Inventory: parsed, Password: password})
	require.NoError(t, err)
	t.Cleanup(central.Close)
	tools := filepath.Dir(filepath.Dir(toolbox.Path(t, "bin/clusterctl")))
	s := &Stack{Prism: central, endpoints: map[string]string{}, options: Options{
		Dir: t.TempDir(), Repository: filepath.Dir(tools), Credentials: Credentials{`DOMAIN\admin`, password},
	}}
	cluster := &unstructured.Unstructured{Object: map[string]any{
		"kind": "Cluster", "metadata": map[string]any{"name": "blue", "namespace": "tenants"},
	}}
	all, err := s.WithCCM(t.Context(), []*unstructured.Unstructured{cluster})
	require.NoError(t, err)
	require.Len(t, all, 4, "the ClusterResourceSet with its ConfigMap and Secret")
	for _, object := range all {
		carried, found, err := unstructured.NestedString(object.Object, "stringData", "ccm-credentials.yaml")
		require.NoError(t, err)
		if !found {
			continue
		}
		inside, err := env.ParseManifest([]byte(carried))
		require.NoError(t, err)
		credentials, err := CredentialsIn(inside)
		require.NoError(t, err)
		assert.Equal(t, s.options.Credentials, credentials)
		return
	}
	require.Fail(t, "no Secret with credentials")
}
