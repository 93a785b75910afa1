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
	suffix := stateSuffix("NutanixMachine", "team-a", "m-1")
	tests := map[string]struct {
		spec   *infrav1.TerraformBackend
		kind   string
		config map[string]string
		err    string
	}{
		"default":                       {nil, "kubernetes", map[string]string{"namespace": "team-a", "secret_suffix": suffix}, ""},
		"kubernetes":                    {&infrav1.TerraformBackend{Type: "kubernetes"}, "kubernetes", map[string]string{"namespace": "team-a", "secret_suffix": suffix}, ""},
		"s3 without a key":              {backend("s3", "bucket", "b"), "s3", map[string]string{"bucket": "b", "key": suffix}, ""},
		"s3 with a key of one's own":    {backend("s3", "bucket", "b", "key", "capnt/{namespace}/{suffix}.tfstate"), "s3", map[string]string{"bucket": "b", "key": "capnt/team-a/" + suffix + ".tfstate"}, ""},
		"pg":                            {backend("pg"), "pg", map[string]string{"schema_name": suffix}, ""},
		"gcs":                           {backend("gcs", "bucket", "b"), "gcs", map[string]string{"bucket": "b", "prefix": suffix}, ""},
		"consul":                        {backend("consul"), "consul", map[string]string{"path": suffix}, ""},
		"azurerm":                       {backend("azurerm"), "azurerm", map[string]string{"key": suffix}, ""},
		"http":                          {backend("http", "address", "https://s/{suffix}"), "http", map[string]string{"address": "https://s/" + suffix}, ""},
		"all in one key":                {backend("s3", "key", "state"), "", nil, "{suffix}"},
		"http, all in one":              {backend("http", "address", "https://s/state"), "", nil, "{suffix}"},
		"machine and cluster in one":    {backend("http", "address", "https://s/{namespace}/{name}"), "", nil, "{suffix}"},
		"what nobody knows, all in one": {backend("new", "x", "y"), "", nil, "{suffix}"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := BackendFor(test.spec, "NutanixMachine", "team-a", "m-1", map[string][]byte{"TOKEN": []byte("s3cr3t")})
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				assert.ErrorContains(t, err, "spec.terraform.backend.config")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.kind, got.Type)
			assert.Equal(t, test.config, got.Config)
			assert.Equal(t, test.kind == "kubernetes", got.Kubernetes())
			assert.NotContains(t, fmt.Sprint(got.Config), "s3cr3t")
			if got.Kubernetes() {
				assert.Empty(t, got.Environment, "the backend of the management cluster needs no other access")
			} else {
				assert.Equal(t, map[string]string{"TOKEN": "s3cr3t"}, got.Environment)
			}
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

// What the spec says is the user's, and one spec serves many objects.
func TestBackendForLeavesTheSpecAlone(t *testing.T) {
	spec := backend("s3", "bucket", "{namespace}-{suffix}")
	_, err := BackendFor(spec, "NutanixMachine", "a", "b", nil)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"bucket": "{namespace}-{suffix}"}, spec.Config)
}

var endsLikeAPart = regexp.MustCompile(`-[0-9]+$`)

// Terraform's kubernetes backend takes a final dash and digits for a part of a state, and writes the suffix into a label
// and, behind a prefix, into the names of a Secret and a Lease.
func FuzzStateSuffix(f *testing.F) {
	f.Add("default", "m-1", "default", "m-2")
	f.Add("default", "a.b", "default", "a-b")
	f.Add("a-b", "c", "a", "b-c")
	f.Add("a", "my-very-long-cluster-name-of-a-big-company-md-0-abcde-12345", "a", "my-very-long-cluster-name-of-a-big-company-md-0-abcde-12346")
	f.Add("a", "0", "a", "1-0")
	f.Fuzz(func(t *testing.T, namespace, name, otherNamespace, otherName string) {
		for _, given := range []string{name, otherName} {
			if len(validation.IsDNS1123Subdomain(given)) > 0 {
				return
			}
		}
		machine := stateSuffix("NutanixMachine", namespace, name)
		require.Equal(t, machine, stateSuffix("NutanixMachine", namespace, name))
		require.Empty(t, validation.IsValidLabelValue(machine))
		require.Empty(t, validation.IsDNS1123Label(machine))
		require.Empty(t, validation.IsDNS1123Subdomain("lock-tfstate-default-"+machine))
		require.False(t, endsLikeAPart.MatchString(machine), machine)
		require.NotEqual(t, machine, stateSuffix("NutanixCluster", namespace, name))
		if namespace+"/"+name != otherNamespace+"/"+otherName {
			require.NotEqual(t, machine, stateSuffix("NutanixMachine", otherNamespace, otherName))
		}
	})
}
