package ccm

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/capnt/capnt/ccm/config"
)

func TestTheChartIsWhatTheManifestsAre(t *testing.T) {
	chart, manifests := render(t, plain()), manifests(t)

	assert.Equal(t, the[rbacv1.ClusterRole](t, manifests).Rules, the[rbacv1.ClusterRole](t, chart).Rules)
	assert.ElementsMatch(t, granted(t, manifests), granted(t, chart))
	assert.Equal(t, the[corev1.ServiceAccount](t, manifests).Name, the[corev1.ServiceAccount](t, chart).Name)
	assert.Equal(t, the[policyv1.PodDisruptionBudget](t, manifests).Spec, the[policyv1.PodDisruptionBudget](t, chart).Spec)

	want, got := the[appsv1.Deployment](t, manifests), the[appsv1.Deployment](t, chart)
	assert.Equal(t, "capnt-ccm:0.1.0", got.Spec.Template.Spec.Containers[0].Image)
	got.Spec.Template.Spec.Containers[0].Image = want.Spec.Template.Spec.Containers[0].Image
	assert.Equal(t, asYAML(t, want.Spec), asYAML(t, got.Spec))

	assert.Equal(t, configuration(t, manifests), configuration(t, chart))
}

func TestValuesOfTheVendorsChartWork(t *testing.T) {
	o := render(t, vendor())
	parsed := configuration(t, o)
	assert.Equal(t, config.PrismCentral{
		Address: "10.0.0.1", Port: 443, Insecure: true, CredentialRef: &config.Reference{Kind: "Secret", Name: "my-creds"},
		AdditionalTrustBundle: &config.TrustBundle{Kind: "ConfigMap", Name: "user-ca-bundle"},
	}, parsed.PrismCentral)
	assert.True(t, parsed.EnableCustomLabeling)
	assert.Equal(t, []string{"10.0.0.5", "10.0.1.0/24"}, parsed.IgnoredNodeIPs)
	assert.Equal(t, config.TopologyDiscovery{Type: config.TopologyByCategory, TopologyCategories: &config.TopologyCategories{RegionCategory: "my-region", ZoneCategory: "my-zone"}}, parsed.TopologyDiscovery)

	deployment := the[appsv1.Deployment](t, o)
	pod := deployment.Spec.Template.Spec
	assert.Equal(t, int32(3), *deployment.Spec.Replicas)
	assert.Equal(t, "example.com/ccm:v1", pod.Containers[0].Image)
	assert.Contains(t, pod.Containers[0].Args, "--tls-cipher-suites=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
	assert.Contains(t, pod.Containers[0].Env, corev1.EnvVar{Name: "LOG_LEVEL", Value: "info"})
	assert.Equal(t, "my-config", pod.Volumes[0].ConfigMap.Name)
	assert.Equal(t, "puller", pod.ImagePullSecrets[0].Name)
	assert.Equal(t, map[string]string{"role": "infra"}, pod.NodeSelector)
	assert.NotNil(t, pod.Affinity)
	assert.Equal(t, map[string]string{"a": "b"}, deployment.Spec.Template.Annotations)
	assert.Contains(t, strings.Join(granted(t, o), "\n"), `"resourceNames":["my-creds"]`)
	bundle := slices.IndexFunc(all[corev1.ConfigMap](t, o), func(c corev1.ConfigMap) bool { return string(c.BinaryData["ca.crt"]) == "certificates" })
	assert.GreaterOrEqual(t, bundle, 0)
}

func TestCredentialsAreInTheSecretAsTheyAre(t *testing.T) {
	type data struct{ Username, Password, APIKey string }
	for name, tc := range map[string]struct {
		values values
		kind   string
		want   data
	}{
		"password": {plain().and("createSecret", true).and("password", secretText), "basic_auth", data{Username: "admin", Password: secretText}},
		"API key":  {plain().and("createSecret", true).and("apiKey", secretText), "api_key", data{APIKey: secretText}},
	} {
		t.Run(name, func(t *testing.T) {
			o := render(t, tc.values)
			var entries []struct {
				Type string
				Data struct{ PrismCentral data }
			}
			require.NoError(t, json.Unmarshal(the[corev1.Secret](t, o).Data["credentials"], &entries))
			require.Len(t, entries, 1)
			assert.Equal(t, tc.kind, entries[0].Type)
			assert.Equal(t, tc.want, entries[0].Data.PrismCentral)
			for _, object := range o {
				if object.GetKind() != "Secret" {
					text, err := json.Marshal(object)
					require.NoError(t, err)
					assert.NotContains(t, string(text), "hunter2")
				}
			}
		})
	}
}

func TestTheConfigurationIsLaidOverTheSingleValues(t *testing.T) {
	named := func(name string) values { return values{"type": "name", "name": name} }
	parsed := configuration(t, render(t, plain().and("prismCentralInsecure", true).and("clusterName", "blue").and("config", values{
		"prismCentral": values{"insecure": false, "port": 443}, "instanceType": "Size",
		"loadBalancer": values{
			"type": "nlb", "classes": values{}, "repairPeriod": "5m", "orphans": "Delete",
			"nlb":  values{"vpc": named("vpc"), "subnet": named("vips"), "healthCheck": values{"intervalSeconds": 7}},
			"ipam": values{"subnet": values{"type": "uuid", "uuid": "00000000-0000-4000-8000-000000000001"}, "announcer": "metallb"},
		},
		"client": values{"timeout": "1m", "requestsPerSecond": 2.5, "burst": 3},
	})))
	assert.Equal(t, "prism-central.example.com", parsed.PrismCentral.Address)
	assert.Equal(t, "nutanix-creds", parsed.PrismCentral.CredentialRef.Name)
	assert.False(t, parsed.PrismCentral.Insecure)
	assert.Equal(t, 443, parsed.PrismCentral.Port)
	assert.Equal(t, "blue", parsed.ClusterName)
	assert.Equal(t, config.InstanceTypeSize, parsed.InstanceType)
	assert.Equal(t, 7, parsed.LoadBalancer.NLB.HealthCheck.IntervalSeconds)
	assert.Equal(t, config.MetalLB, parsed.LoadBalancer.IPAM.Announcer)
	assert.Empty(t, parsed.LoadBalancer.Classes)
	assert.InDelta(t, 2.5, parsed.Client.RequestsPerSecond, 0)
	assert.Equal(t, time.Minute, parsed.Client.Timeout.Duration)
}

func TestTheRightsNameWhatTheConfigurationRefersTo(t *testing.T) {
	o := render(t, values{"createSecret": false, "config": values{"prismCentral": values{
		"address": "pc", "credentialRef": values{"name": "theirs"}, "additionalTrustBundle": values{"kind": "ConfigMap", "name": "certificates"},
	}}})
	assert.Equal(t, "theirs", configuration(t, o).PrismCentral.CredentialRef.Name)
	rights := strings.Join(granted(t, o), "\n")
	assert.Contains(t, rights, `"resourceNames":["theirs"]`)
	assert.Contains(t, rights, `"resourceNames":["certificates"]`)
	assert.NotContains(t, rights, "nutanix-creds")
}

func TestRoutesNeedTheirFlags(t *testing.T) {
	routes := plain().and("clusterName", "blue").and("config", values{"routes": values{"enabled": true, "vpc": values{"type": "name", "name": "vpc"}}})
	o := render(t, routes.and("clusterCIDR", "10.244.0.0/16,fd00::/48"))
	assert.True(t, configuration(t, o).Routes.Enabled)
	arguments := the[appsv1.Deployment](t, o).Spec.Template.Spec.Containers[0].Args
	assert.Contains(t, arguments, "--configure-cloud-routes=true")
	assert.Contains(t, arguments, "--cluster-cidr=10.244.0.0/16,fd00::/48")
}

// asYAML makes differences readable.
func asYAML(t *testing.T, object any) string {
	t.Helper()
	text, err := yaml.Marshal(object)
	require.NoError(t, err)
	return string(text)
}

func TestRightsAreForWhereverItIsInstalled(t *testing.T) {
	text, err := helm(t, plain(), "template", "capnt-ccm", "chart", "--namespace", "elsewhere")
	require.NoError(t, err)
	o := parse(t, text)
	for _, binding := range all[rbacv1.RoleBinding](t, o) {
		assert.Equal(t, "elsewhere", binding.Subjects[0].Namespace)
	}
	rights := strings.Join(granted(t, o), "\n")
	assert.Contains(t, rights, `["elsewhere",[{"kind":"ServiceAccount","name":"capnt-ccm","namespace":"elsewhere"}],{"verbs":["list","watch"],"apiGroups":[""],"resources":["secrets"]`)
	assert.Contains(t, rights, `["kube-system",[{"kind":"ServiceAccount","name":"capnt-ccm","namespace":"elsewhere"}],{"verbs":["get","update"],"apiGroups":["coordination.k8s.io"]`)
}
