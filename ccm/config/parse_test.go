package config_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/ccm/config"
)

var update = flag.Bool("update", false, "write the golden files")

const minimal = `{"prismCentral": {"address": "pc", "credentialRef": {"name": "creds"}}}`

func TestGoldenConfigurations(t *testing.T) {
	for name, file := range map[string]string{
		"what the vendor's controller reads": "vendor.json",
		"everything, in YAML":                "full.yaml",
		"defaults of a minimal one":          "minimal.json",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := config.Load(filepath.Join("testdata", file))
			require.NoError(t, err)
			text, err := json.MarshalIndent(got, "", "  ")
			require.NoError(t, err)
			golden(t, filepath.Join("testdata", strings.TrimSuffix(file, filepath.Ext(file))+".golden"), string(text)+"\n")
		})
	}
}

func TestYAMLAndJSONGiveTheSame(t *testing.T) {
	fromFile, err := config.Load("testdata/vendor.json")
	require.NoError(t, err)
	fromYAML, err := config.Parse([]byte(`
prismCentral:
  address: pc.example.com
  port: 9440
  insecure: true
  credentialRef: {kind: secret, name: nutanix-creds, namespace: kube-system}
  additionalTrustBundle: {kind: ConfigMap, name: user-ca-bundle, namespace: kube-system}
enableCustomLabeling: true
ignoredNodeIPs: [10.0.0.1, 10.0.1.1-10.0.1.9, 10.0.2.0/24, "fd00::/64"]
topologyDiscovery:
  type: Categories
  topologyCategories: {regionCategory: region, zoneCategory: zone}
`))
	require.NoError(t, err)
	assert.Equal(t, fromFile, fromYAML)
}

func TestKindsAsTheVendorWritesThem(t *testing.T) {
	bundle, err := json.Marshal(certificate)
	require.NoError(t, err)
	for name, trust := range map[string]string{
		"String":           `{"kind": "String", "data": ` + string(bundle) + `}`,
		"ConfigMap":        `{"kind": "ConfigMap", "name": "ca"}`,
		"empty kind":       `{"name": "ca"}`,
		"unused fields":    `{"kind": "ConfigMap", "name": "ca", "data": "", "namespace": ""}`,
		"null: no bundle":  `null`,
		"null credentials": `{"kind": "ConfigMap", "name": "ca", "data": null}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse([]byte(`{"prismCentral": {"address": "pc", "port": 9440, "insecure": false,
				"credentialRef": {"kind": "Secret", "name": "creds"}, "additionalTrustBundle": ` + trust + `}}`))
			assert.NoError(t, err)
		})
	}
}

func TestEveryErrorIsReportedAtOnce(t *testing.T) {
	_, err := config.Load("testdata/wrong.yaml")
	invalid := &config.InvalidError{}
	require.ErrorAs(t, err, &invalid)
	got := ""
	for _, problem := range invalid.Problems {
		got += problem.Error() + "\n"
		assert.ErrorContains(t, err, problem.Error())
	}
	golden(t, "testdata/wrong.golden", got)
}

// golden compares with a file, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "run the test with -update when the change is meant")
}

func TestTextThatIsNoConfigurationSaysWhereAndWhy(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"empty":             {" \n", "it is empty"},
		"JSON syntax":       {"{\n\"prismCentral\": {,}}", "parsing JSON: line 2: invalid character"},
		"JSON, trailing":    {minimal + "}", "parsing JSON: line 1"},
		"JSON, repeated":    {`{"prismCentral": {"address": "a", "address": "b"}}`, `duplicate field "prismCentral.address"`},
		"YAML syntax":       {"prismCentral:\n\taddress: x", "parsing YAML: "},
		"YAML, repeated":    {"prismCentral: {}\nprismCentral: {}", `"prismCentral" already set`},
		"a list":            {"- a", "an object with the field prismCentral is needed, not a list"},
		"a text":            {"nonsense", "not a text"},
		"null":              {"null", "not null"},
		"a placeholder":     {"{\"prismCentral\": {\"port\": ${NUTANIX_PORT}}}", "parsing JSON: line 1"},
		"number too large":  {`{"prismCentral": {"port": 99999999999999999999}}`, "prismCentral.port: Invalid value: a whole number is needed, not 1e+20"},
		"fraction":          {`{"prismCentral": {"port": 1.5}}`, "prismCentral.port: Invalid value: a whole number is needed, not 1.5"},
		"other case":        {`{"prismCentral": {"Address": "pc"}}`, "prismCentral.Address: Forbidden: unknown field; is prismCentral.address meant?"},
		"misspelt":          {`{"prismCentral": {"addrezz": "pc"}}`, "prismCentral.addrezz: Forbidden: unknown field; is prismCentral.address meant?"},
		"at a wrong place":  {`{"topologyCategories": {}}`, "topologyCategories: Forbidden: unknown field; is topologyDiscovery.topologyCategories meant?"},
		"nothing like it":   {`{"prismCentral": {"zzz": 1}}`, "known are additionalTrustBundle, address, credentialRef, insecure, port"},
		"in a list":         {`{"loadBalancer": {"ipam": {"additionalSubnets": [{}]}}}`, "loadBalancer.ipam.additionalSubnets[0]: Required value"},
		"unknown and wrong": {`{"prismCentral": []}`, "prismCentral: Invalid value: an object is needed, not a list"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse([]byte(tc.in))
			assert.ErrorContains(t, err, tc.want)
		})
	}
}

// TestZeroIsNotTheDefault: who writes 0 does not mean 10.
func TestZeroIsNotTheDefault(t *testing.T) {
	for path, in := range map[string]string{
		"prismCentral.port":                             `"prismCentral": {"address": "pc", "credentialRef": {"name": "creds"}, "port": 0}`,
		"client.burst":                                  `"client": {"burst": 0}`,
		"client.requestsPerSecond":                      `"client": {"requestsPerSecond": 0.0}`,
		"client.timeout":                                `"client": {"timeout": "0s"}`,
		"client.taskTimeout":                            `"client": {"taskTimeout": "0"}`,
		"client.cacheTTL":                               `"client": {"cacheTTL": "0ms"}`,
		"loadBalancer.repairPeriod":                     `"loadBalancer": {"repairPeriod": "0h"}`,
		"loadBalancer.nlb.healthCheck.successThreshold": `"loadBalancer": {"nlb": {"healthCheck": {"successThreshold": 0}}}`,
	} {
		t.Run(path, func(t *testing.T) {
			_, err := config.Parse([]byte("{" + in + "}"))
			require.ErrorContains(t, err, path+": Invalid value: 0 is not possible: leave it out for the default")
			assert.NotContains(t, err.Error(), path+": Invalid value: 0:", "said once")
		})
	}
}

func TestAConfigurationWithoutDefaultsCanBeWritten(t *testing.T) {
	text, err := json.Marshal(config.Config{PrismCentral: config.PrismCentral{Address: "pc", CredentialRef: &config.Reference{Name: "creds"}}})
	require.NoError(t, err)
	got, err := config.Parse(text)
	require.NoError(t, err)
	want, err := config.Parse([]byte(minimal))
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

// TestTimesThatAreTooShort would have Prism Central asked without a pause, or never be waited for.
func TestTimesThatAreTooShort(t *testing.T) {
	for path, tc := range map[string]struct{ section, field, short, least string }{
		"loadBalancer.repairPeriod": {"loadBalancer", "repairPeriod", "999ms", "1s"},
		"client.timeout":            {"client", "timeout", "1ms", "1s"},
		"client.taskTimeout":        {"client", "taskTimeout", "1ns", "1s"},
		"client.cacheTTL":           {"client", "cacheTTL", "99ms", "100ms"},
	} {
		t.Run(path, func(t *testing.T) {
			with := func(value string) error {
				_, err := config.Parse([]byte(strings.TrimSuffix(minimal, "}") +
					`, "` + tc.section + `": {"` + tc.field + `": "` + value + `"}}`))
				return err
			}
			assert.ErrorContains(t, with(tc.short), path+`: Invalid value: "`+tc.short+`": at least `+tc.least+` is needed`)
			assert.NoError(t, with(tc.least))
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{"vendor.json", "full.yaml", "wrong.yaml"} {
		content, err := os.ReadFile(filepath.Join("testdata", file))
		require.NoError(f, err)
		f.Add(content)
	}
	f.Add([]byte(`{"loadBalancer": {"classes": {"": 1, "x": null}, "nlb": {"vpc": []}}, "client": {"timeout": 1}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		parsed, err := config.Parse(content)
		if err != nil {
			return
		}
		// What was accepted is accepted again when it is written down with its defaults.
		text, err := json.Marshal(parsed)
		require.NoError(t, err)
		again, err := config.Parse(text)
		require.NoError(t, err, string(text))
		assert.Equal(t, parsed, again)
	})
}
