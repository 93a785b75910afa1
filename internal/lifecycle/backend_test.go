package lifecycle

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func TestBackendFor(t *testing.T) {
	suffix := StateSuffix("NutanixMachine", "team-a", "m-1", "0a1b2c3d-1111-4222-8333-444455556666")
	tests := map[string]struct {
		spec   *infrav1.TerraformBackend
		kind   string
		config map[string]string
		err    string
	}{
		"default":                    {nil, "kubernetes", map[string]string{"namespace": "team-a", "secret_suffix": suffix}, ""},
		"kubernetes":                 {&infrav1.TerraformBackend{Type: "kubernetes"}, "kubernetes", map[string]string{"namespace": "team-a", "secret_suffix": suffix}, ""},
		"s3 without a key":           {backend("s3", "bucket", "b"), "s3", map[string]string{"bucket": "b", "key": suffix}, ""},
		"s3 with a key of one's own": {backend("s3", "bucket", "b", "key", "capnt/{namespace}/{suffix}.tfstate"), "s3", map[string]string{"bucket": "b", "key": "capnt/team-a/" + suffix + ".tfstate"}, ""},
		"pg":                         {backend("pg"), "pg", map[string]string{"schema_name": suffix}, ""},
		"gcs":                        {backend("gcs", "bucket", "b"), "gcs", map[string]string{"bucket": "b", "prefix": suffix}, ""},
		"consul":                     {backend("consul"), "consul", map[string]string{"path": suffix}, ""},
		"azurerm":                    {backend("azurerm"), "azurerm", map[string]string{"key": suffix}, ""},
		"http": {backend("http", "address", "https://s/{suffix}", "lock_address", "https://s/{suffix}/lock"), "http",
			map[string]string{"address": "https://s/" + suffix, "lock_address": "https://s/" + suffix + "/lock"}, ""},
		"remote":                                  {backend("remote", "workspaces.name", "{suffix}"), "remote", map[string]string{"workspaces.name": suffix}, ""},
		"pg with a prefix":                        {backend("pg", "schema_name", "terraform_state_{suffix}"), "pg", map[string]string{"schema_name": "terraform_state_" + suffix}, ""},
		"s3 with a fixed key":                     {backend("s3", "bucket", "{suffix}", "key", "state", "workspace_key_prefix", "{suffix}"), "", nil, "config[key]"},
		"http with a fixed address":               {backend("http", "address", "https://s/state"), "", nil, "config[address]"},
		"http without an address":                 {backend("http"), "", nil, "config[address]"},
		"http where only the locks differ":        {backend("http", "address", "https://s/state", "lock_address", "https://s/{suffix}"), "", nil, "config[address]"},
		"http with one lock":                      {backend("http", "address", "https://s/{suffix}", "lock_address", "https://s/lock"), "", nil, "config[lock_address]"},
		"namespace and name, which objects share": {backend("http", "address", "https://s/{namespace}/{name}"), "", nil, "config[address]"},
		"backend that nobody knows":               {backend("new", "x", "{suffix}"), "", nil, "spec.terraform.backend.type"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := BackendFor(test.spec, suffix, "team-a", "m-1", map[string]string{"TOKEN": "s3cr3t"})
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				assert.ErrorContains(t, err, "spec.terraform.backend")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.kind, got.Type)
			assert.Equal(t, test.config, got.Config)
			assert.Equal(t, test.kind == "kubernetes", got.Kubernetes())
			assert.NotContains(t, fmt.Sprint(got.Config), "s3cr3t")
			assert.Equal(t, map[string]string{"TOKEN": "s3cr3t"}, got.Environment)
		})
	}
}

func backend(kind string, config ...string) *infrav1.TerraformBackend {
	spec := &infrav1.TerraformBackend{Type: kind, Config: map[string]string{}}
	for i := 0; i+1 < len(config); i += 2 {
		spec.Config[config[i]] = config[i+1]
	}
	return spec
}

// TestBackendForDoesNotChangeTheSpec proves that BackendFor does not modify its argument, because many objects share one spec.
func TestBackendForDoesNotChangeTheSpec(t *testing.T) {
	spec := backend("s3", "key", "{namespace}-{suffix}")
	_, err := BackendFor(spec, "suffix", "a", "b", nil)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"key": "{namespace}-{suffix}"}, spec.Config)
}

var endsLikeAPart = regexp.MustCompile(`-[0-9]+$`)

// FuzzStateSuffix checks that a suffix works with Terraform's kubernetes backend. The backend writes the suffix into a label and, after a
// prefix, into the names of a Secret and a Lease. A suffix must not end in a dash and digits, because the backend numbers the Secrets of
// a large state like that.
func FuzzStateSuffix(f *testing.F) {
	const one, two = "0a1b2c3d-1111-4222-8333-444455556666", "f0a1b2c3-1111-4222-8333-444455556666"
	f.Add("default", "m-1", one, "default", "m-2", two)
	f.Add("default", "m-1", one, "default", "m-1", two)
	f.Add("default", "m-1", "", "default", "m-1", one)
	f.Add("default", "a.b", "", "default", "a-b", "")
	f.Add("a-b", "c", one, "a", "b-c", one)
	f.Add("a", "my-very-long-cluster-name-of-a-big-company-md-0-abcde-12345", one, "a", "my-very-long-cluster-name-of-a-big-company-md-0-abcde-12346", one)
	f.Add("a", "0", "", "a", "1-0", "")
	f.Fuzz(func(t *testing.T, namespace, name, key, otherNamespace, otherName, otherKey string) {
		for _, given := range []string{name, otherName} {
			if len(validation.IsDNS1123Subdomain(given)) > 0 {
				return
			}
		}
		for _, given := range []string{key, otherKey} {
			if given != "" && !isUID.MatchString(given) {
				return
			}
		}
		machine := StateSuffix("NutanixMachine", namespace, name, key)
		require.Equal(t, machine, StateSuffix("NutanixMachine", namespace, name, key))
		require.Empty(t, validation.IsValidLabelValue(machine))
		require.Empty(t, validation.IsDNS1123Label(machine))
		require.Empty(t, validation.IsDNS1123Subdomain("lock-tfstate-default-"+machine))
		require.False(t, endsLikeAPart.MatchString(machine), machine)
		require.NotEqual(t, machine, StateSuffix("NutanixCluster", namespace, name, key))
		if namespace+"/"+name != otherNamespace+"/"+otherName || first(key) != first(otherKey) {
			require.NotEqual(t, machine, StateSuffix("NutanixMachine", otherNamespace, otherName, otherKey))
		}
	})
}

var isUID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// first returns the part of the workspace key that is included in a suffix.
func first(key string) string { return key[:min(len(key), suffixKeyLength)] }

// TestStateSuffixWithoutKeyIsThatOfV010 proves that objects of v0.1.0 keep their suffix, because their states are stored under it.
func TestStateSuffixWithoutKeyIsThatOfV010(t *testing.T) {
	require.Equal(t, "m-1-6c24f48f9c-machine", StateSuffix("NutanixMachine", "team-a", "m-1", ""))
	require.Equal(t, "my-very-long-cluster-name-of-a-big-c-2d2c9cb49a-cluster",
		StateSuffix("NutanixCluster", "team-a", "my-very-long-cluster-name-of-a-big-company-x", ""))
}
