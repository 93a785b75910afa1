package ccm

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/capnt/capnt/ccm/config"
)

func TestHelmFindsNothingWrongWithTheChart(t *testing.T) {
	for _, v := range []values{plain(), plain().and("podMonitor", values{"enabled": true})} {
		_, err := helm(t, v, "lint", "chart", "--strict")
		require.NoError(t, err)
	}
}

func TestWrongValuesAreRefused(t *testing.T) {
	identifier := values{"type": "name", "uuid": "x"}
	vpc := values{"type": "name", "name": "x"}
	ipam := values{"ipam": values{"subnet": vpc}}
	nlb := func(more values) values {
		return plain().and("clusterName", "blue").and("config", values{"loadBalancer": values{"nlb": more.and("vpc", vpc).and("subnet", vpc)}})
	}
	for name, tc := range map[string]struct {
		values values
		says   string
	}{
		"unknown value":           {plain().and("replica", 2), "additional properties 'replica' not allowed"},
		"wrong type":              {plain().and("replicas", "two"), "at '/replicas': got string, want integer"},
		"no replica":              {plain().and("replicas", 0), "at '/replicas': minimum: got 0, want 1"},
		"port":                    {plain().and("prismCentralPort", 65536), "at '/prismCentralPort': maximum"},
		"endpoint with a scheme":  {plain().and("prismCentralEndPoint", "https://pc"), "at '/prismCentralEndPoint'"},
		"topology":                {plain().and("topologyDiscovery", values{"type": "Zones"}), "value must be one of 'Prism', 'Categories'"},
		"unknown field of config": {plain().and("config", values{"loadBalancr": values{}}), "additional properties 'loadBalancr' not allowed"},
		"load balancer type":      {plain().and("config", values{"loadBalancer": values{"type": "f5"}}), "value must be one of 'none', 'nlb', 'ipam'"},
		"identifier":              {plain().and("config", values{"loadBalancer": values{"ipam": values{"subnet": identifier}}}), "at '/config/loadBalancer/ipam/subnet'"},
		"duration":                {plain().and("config", values{"client": values{"timeout": "soon"}}), "at '/config/client/timeout'"},
		"certificates":            {plain().and("prismCentralAdditionalTrustBundle", "-----BEGIN PRIVATE KEY-----"), "at '/prismCentralAdditionalTrustBundle'"},
		"argument":                {plain().and("extraArgs", []string{"v=4"}), "at '/extraArgs/0'"},
		"CIDR":                    {plain().and("clusterCIDR", "pods"), "at '/clusterCIDR'"},
		"no endpoint":             {values{"createSecret": false}, "prismCentralEndPoint is needed"},
		"no credentials":          {plain().and("createSecret", true), "password or apiKey is needed"},
		"two credentials":         {vendor().and("apiKey", "k"), "password and apiKey are both given"},
		"routes without CIDR":     {plain().and("config", values{"routes": values{"enabled": true}}), "clusterCIDR is needed"},
		"CIDR without routes":     {plain().and("clusterCIDR", "10.0.0.0/16"), "clusterCIDR is for routes alone"},

		"load balancers without section": {plain().and("clusterName", "blue").and("config", values{"loadBalancer": values{"type": "nlb"}}),
			"config.loadBalancer.nlb is needed"},
		"a class without section": {plain().and("clusterName", "blue").and("config", values{"loadBalancer": values{"classes": values{"x": "ipam"}}}),
			"config.loadBalancer.ipam is needed"},
		"load balancers without cluster name": {plain().and("config", values{"loadBalancer": ipam}), "clusterName is needed"},
		"routes without cluster name": {plain().and("clusterCIDR", "10.0.0.0/16").and("config", values{"routes": values{"enabled": true, "vpc": vpc}}),
			"clusterName is needed"},
		"the cluster name of all": {plain().and("clusterName", "kubernetes").and("config", values{"loadBalancer": ipam}), "clusterName is needed"},
		"routes without VPC": {plain().and("clusterName", "blue").and("clusterCIDR", "10.0.0.0/16").and("config", values{"routes": values{"enabled": true}}),
			"config.routes.vpc is needed"},
		"floating IPs without subnet": {nlb(values{"floatingIP": true}), "config.loadBalancer.nlb.externalSubnet is needed"},
		"timeout":                     {nlb(values{"healthCheck": values{"timeoutSeconds": 11}}), "no more than intervalSeconds"},
		"categories without keys": {plain().and("config", values{"topologyDiscovery": values{"type": "Categories"}}),
			"config.topologyDiscovery.topologyCategories is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := helm(t, tc.values, "template", "capnt-ccm", "chart", "--namespace", "kube-system")
			require.ErrorContains(t, err, tc.says)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

// TestLoadBalancersMayBePrepared: a section without classes offers nothing, so that it needs no cluster name.
func TestLoadBalancersMayBePrepared(t *testing.T) {
	section := values{"subnet": values{"type": "name", "name": "x"}}
	parsed := configuration(t, render(t, plain().and("config", values{"loadBalancer": values{"classes": values{}, "ipam": section}})))
	assert.False(t, parsed.LoadBalancer.Offered())
}

func TestTheSchemaKnowsEveryFieldOfTheConfiguration(t *testing.T) {
	content, err := os.ReadFile("chart/values.schema.json")
	require.NoError(t, err)
	var schema struct{ Properties map[string]any }
	require.NoError(t, json.Unmarshal(content, &schema))
	compareFields(t, "config", reflect.TypeFor[config.Config](), schema.Properties["config"].(map[string]any))

	defaults := map[string]any{}
	content, err = os.ReadFile("chart/values.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(content, &defaults))
	for name := range schema.Properties {
		if name != "global" {
			assert.Contains(t, defaults, name, "a value without a default")
		}
	}
}

func compareFields(t *testing.T, path string, of reflect.Type, schema map[string]any) {
	t.Helper()
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || of == reflect.TypeFor[metav1.Duration]() || of == reflect.TypeFor[config.Identifier]() {
		return
	}
	properties, ok := schema["properties"].(map[string]any)
	require.True(t, ok, path)
	assert.Len(t, properties, of.NumField(), path)
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		below, ok := properties[name].(map[string]any)
		require.True(t, ok, "%s.%s", path, name)
		compareFields(t, path+"."+name, field.Type, below)
	}
}
