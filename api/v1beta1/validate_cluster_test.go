package v1beta1_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func domain(name string, subnets ...infrav1.NutanixResourceIdentifier) infrav1.NutanixFailureDomainConfig {
	return infrav1.NutanixFailureDomainConfig{Name: name, Cluster: byName("pe-1"), Subnets: subnets}
}

func references(names ...string) []corev1.LocalObjectReference {
	list := make([]corev1.LocalObjectReference, len(names))
	for i := range names {
		list[i].Name = names[i]
	}
	return list
}

func TestValidateCluster(t *testing.T) {
	type spec = infrav1.NutanixClusterSpec
	type bundle = infrav1.NutanixTrustBundleReference
	type domains = []infrav1.NutanixFailureDomainConfig
	for name, tc := range map[string]struct {
		change func(*spec)
		want   []string
	}{
		"valid":                             {func(*spec) {}, nil},
		"endpoint not set yet":              {func(s *spec) { s.ControlPlaneEndpoint = infrav1.APIEndpoint{} }, nil},
		"host without port":                 {func(s *spec) { s.ControlPlaneEndpoint.Port = 0 }, []string{"spec.controlPlaneEndpoint.port:set port too"}},
		"port without host":                 {func(s *spec) { s.ControlPlaneEndpoint.Host = "" }, nil},
		"host with port in it":              {func(s *spec) { s.ControlPlaneEndpoint.Host = "10.0.0.1:6443" }, []string{"spec.controlPlaneEndpoint.host:port in the field port"}},
		"IPv6 endpoint":                     {func(s *spec) { s.ControlPlaneEndpoint.Host = "fd00::1" }, nil},
		"no Prism Central":                  {func(s *spec) { s.PrismCentral = nil }, []string{"spec.prismCentral:set the address"}},
		"no credentials":                    {func(s *spec) { s.PrismCentral.CredentialRef = nil }, []string{"spec.prismCentral.credentialRef:set the Secret"}},
		"credentials without name":          {func(s *spec) { s.PrismCentral.CredentialRef.Name = "" }, []string{"spec.prismCentral.credentialRef.name:set the name"}},
		"credentials of another kind":       {func(s *spec) { s.PrismCentral.CredentialRef.Kind = "Vault" }, []string{"spec.prismCentral.credentialRef.kind:supported values"}},
		"credentials in another namespace":  {func(s *spec) { s.PrismCentral.CredentialRef.Namespace = "other" }, []string{"spec.prismCentral.credentialRef.namespace:in the namespace of the NutanixCluster"}},
		"credentials in the same namespace": {func(s *spec) { s.PrismCentral.CredentialRef.Namespace = "default" }, nil},
		"address missing":                   {func(s *spec) { s.PrismCentral.Address = "" }, []string{"spec.prismCentral.address:set a host name"}},
		"address with scheme":               {func(s *spec) { s.PrismCentral.Address = "https://prism.example.com" }, []string{"spec.prismCentral.address:without scheme"}},
		"address with port":                 {func(s *spec) { s.PrismCentral.Address = "prism.example.com:9440" }, []string{"spec.prismCentral.address:port in the field port"}},
		"address with a blank":              {func(s *spec) { s.PrismCentral.Address = "prism example" }, []string{"spec.prismCentral.address:host name or IP address"}},
		"address in upper case":             {func(s *spec) { s.PrismCentral.Address = "PRISM.example.com" }, nil},
		"address in IPv6":                   {func(s *spec) { s.PrismCentral.Address = "fd00::9" }, nil},
		"port out of range":                 {func(s *spec) { s.PrismCentral.Port = 70000 }, []string{"spec.prismCentral.port:1 to 65535"}},
		"bundle in ConfigMap of another namespace": {func(s *spec) {
			s.PrismCentral.AdditionalTrustBundle = &bundle{Kind: "ConfigMap", Name: "ca", Namespace: "shared"}
		}, nil},
		"bundle without name":         {func(s *spec) { s.PrismCentral.AdditionalTrustBundle = &bundle{Kind: "ConfigMap"} }, []string{"spec.prismCentral.additionalTrustBundle.name:set the name"}},
		"bundle without data":         {func(s *spec) { s.PrismCentral.AdditionalTrustBundle = &bundle{Kind: "String"} }, []string{"spec.prismCentral.additionalTrustBundle.data:in PEM"}},
		"bundle without PEM":          {func(s *spec) { s.PrismCentral.AdditionalTrustBundle = &bundle{Kind: "String", Data: "x"} }, []string{"spec.prismCentral.additionalTrustBundle.data:no certificate"}},
		"bundle of unknown kind":      {func(s *spec) { s.PrismCentral.AdditionalTrustBundle = &bundle{Kind: "Secret"} }, []string{"spec.prismCentral.additionalTrustBundle.kind:supported values"}},
		"failure domains":             {func(s *spec) { s.FailureDomains = domains{domain("a", byName("n")), domain("b", byName("n"))} }, nil},
		"failure domain twice":        {func(s *spec) { s.FailureDomains = domains{domain("a", byName("n")), domain("a", byName("n"))} }, []string{"spec.failureDomains[1].name:Duplicate"}},
		"failure domain no subnet":    {func(s *spec) { s.FailureDomains = domains{domain("a")} }, []string{"spec.failureDomains[0].subnets:at least one"}},
		"failure domain bad name":     {func(s *spec) { s.FailureDomains = domains{domain("A", byName("n"))} }, []string{"spec.failureDomains[0].name:lower case"}},
		"subnet twice":                {func(s *spec) { s.FailureDomains = domains{domain("a", byName("n"), byName("n"))} }, []string{"spec.failureDomains[0].subnets[1]:Duplicate"}},
		"references":                  {func(s *spec) { s.ControlPlaneFailureDomains = references("a", "b.c") }, nil},
		"references to metro":         {func(s *spec) { s.ControlPlaneFailureDomains = references("NutanixMetro/m") }, []string{"spec.controlPlaneFailureDomains[0].name:NutanixMetro is not supported"}},
		"reference without name":      {func(s *spec) { s.ControlPlaneFailureDomains = references("") }, []string{"spec.controlPlaneFailureDomains[0].name:set the name"}},
		"reference with invalid name": {func(s *spec) { s.ControlPlaneFailureDomains = references("A") }, []string{"spec.controlPlaneFailureDomains[0].name:not a valid name"}},
		"reference twice":             {func(s *spec) { s.ControlPlaneFailureDomains = references("a", "a") }, []string{"spec.controlPlaneFailureDomains[1].name:Duplicate"}},
		"both kinds of domains": {func(s *spec) {
			s.FailureDomains, s.ControlPlaneFailureDomains = domains{domain("a", byName("n"))}, references("b")
		}, []string{"spec.controlPlaneFailureDomains:not both"}},
		"terraform":                   {func(s *spec) { s.Terraform = &infrav1.TerraformSpec{ProviderVersion: "1.9.5"} }, nil},
		"provider version is a range": {func(s *spec) { s.Terraform = &infrav1.TerraformSpec{ProviderVersion: "~> 1.9"} }, []string{"spec.terraform.providerVersion:exact version"}},
		"v3 with any provider":        {func(s *spec) { s.Terraform = terraform("v3", "1.9.5") }, nil},
		"v4":                          {func(s *spec) { s.Terraform = terraform("v4", "") }, nil},
		"anti-affinity":               {func(s *spec) { s.ControlPlaneAntiAffinity = infrav1.AntiAffinityPreferred }, nil},
		"anti-affinity with v4": {func(s *spec) {
			s.ControlPlaneAntiAffinity, s.Terraform = infrav1.AntiAffinityPreferred, terraform("v4", "")
		}, nil},
		"anti-affinity with v3": {func(s *spec) {
			s.ControlPlaneAntiAffinity, s.Terraform = infrav1.AntiAffinityPreferred, terraform("v3", "")
		}, []string{"spec.controlPlaneAntiAffinity:terraform.api is v3"}},
		"v4, first provider":   {func(s *spec) { s.Terraform = terraform("v4", "2.4.0") }, nil},
		"v4, prerelease":       {func(s *spec) { s.Terraform = terraform("v4", "2.4.0-beta.1") }, nil},
		"v4, later minor":      {func(s *spec) { s.Terraform = terraform("v4", "2.10.0") }, nil},
		"v4, provider too old": {func(s *spec) { s.Terraform = terraform("v4", "2.3.9") }, []string{"spec.terraform.providerVersion:v4 API that spec.terraform.api asks for: set 2.4.0 or later"}},
		"v4, provider for v3":  {func(s *spec) { s.Terraform = terraform("v4", "1.9.5") }, []string{"spec.terraform.providerVersion:leave providerVersion out"}},
		"drift checks too frequent": {func(s *spec) {
			s.Terraform = &infrav1.TerraformSpec{Drift: &infrav1.TerraformDrift{IntervalSeconds: ptr.To[int32](59)}}
		}, []string{"spec.terraform.drift.intervalSeconds:at least 60"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := cluster()
			tc.change(&c.Spec)
			assertErrors(t, tc.want, c.Validate())
		})
	}
}

func TestValidateClusterTemplateAcceptsMissingFields(t *testing.T) {
	template := &infrav1.NutanixClusterTemplate{}
	assertErrors(t, nil, template.Validate())
	template.Spec.Template.Spec.ControlPlaneEndpoint.Port = 6443
	template.Spec.Template.Spec.PrismCentral = &infrav1.NutanixPrismEndpoint{Address: "https://prism"}
	template.Spec.Template.ObjectMeta.Labels = map[string]string{"bad key": "v"}
	assertErrors(t, []string{"spec.template.metadata.labels:bad key", "spec.template.spec.prismCentral.address:without scheme"}, template.Validate())
}

func TestValidateBackend(t *testing.T) {
	type backend = infrav1.TerraformBackend
	type config = map[string]string
	for name, tc := range map[string]struct {
		backend backend
		want    []string
	}{
		"kubernetes":             {backend{Type: "kubernetes"}, nil},
		"kubernetes with config": {backend{Type: "kubernetes", Config: config{"namespace": "x"}}, []string{"spec.terraform.backend.config:has no arguments"}},
		"s3": {backend{Type: "s3", Config: config{"bucket": "b", "key": "{suffix}", "region": "r", "skip_credentials_validation": "true", "shared_credentials_files": "f",
			"kms_key_id": "k", "endpoints": "https://s3.example.com"}, ConfigSecretRef: &corev1.LocalObjectReference{Name: "s"}}, nil},
		"s3 with keys": {backend{Type: "s3", Config: config{"access_key": "hush", "secret_key": "hush", "token": "hush", "sse_customer_key": "hush"}}, []string{
			"spec.terraform.backend.config[access_key]:configSecretRef", "spec.terraform.backend.config[secret_key]:configSecretRef",
			"spec.terraform.backend.config[sse_customer_key]:configSecretRef", "spec.terraform.backend.config[token]:configSecretRef"}},
		"azurerm":                                 {backend{Type: "azurerm", Config: config{"client_id": "c", "client_secret": "hush", "oidc_token_file_path": "p", "sas_token": "hush"}}, []string{"spec.terraform.backend.config[client_secret]:secret", "spec.terraform.backend.config[sas_token]:secret"}},
		"gcs":                                     {backend{Type: "gcs", Config: config{"credentials": "hush", "kms_encryption_key": "projects/p"}}, []string{"spec.terraform.backend.config[credentials]:secret"}},
		"cos":                                     {backend{Type: "cos", Config: config{"secret_id": "hush"}}, []string{"spec.terraform.backend.config[secret_id]:secret"}},
		"pg":                                      {backend{Type: "pg", Config: config{"conn_str": "postgres://h/hush"}}, []string{"spec.terraform.backend.config[conn_str]:secret"}},
		"password in a URL":                       {backend{Type: "http", Config: config{"address": "https://u:hush@h/{suffix}"}}, []string{"spec.terraform.backend.config[address]:secret"}},
		"URL with user and no password":           {backend{Type: "http", Config: config{"address": "https://u@h/{suffix}"}}, nil},
		"local":                                   {backend{Type: "local"}, []string{"spec.terraform.backend.type:lost"}},
		"unknown":                                 {backend{Type: "etcd"}, []string{"spec.terraform.backend.type:supported values"}},
		"s3 with a fixed key":                     {backend{Type: "s3", Config: config{"key": "state", "workspace_key_prefix": "{suffix}"}}, []string{"spec.terraform.backend.config[key]:put {suffix}"}},
		"s3 whose key leaves the suffix":          {backend{Type: "s3", Config: config{"key": "a/{suffix}/../state"}}, []string{"spec.terraform.backend.config[key]:put {suffix}"}},
		"oss with the suffix in the key":          {backend{Type: "oss", Config: config{"prefix": "a", "key": "{suffix}"}}, nil},
		"cos with a fixed prefix":                 {backend{Type: "cos", Config: config{"prefix": "a", "region": "{suffix}"}}, []string{"spec.terraform.backend.config[prefix]:put {suffix}"}},
		"pg whose schema is truncated":            {backend{Type: "pg", Config: config{"schema_name": "a-prefix-of-many-characters-{suffix}"}}, []string{"spec.terraform.backend.config[schema_name]:put {suffix}"}},
		"remote without a workspace":              {backend{Type: "remote", Config: config{"organization": "{suffix}"}}, []string{"spec.terraform.backend.config[workspaces.name]:put {suffix}"}},
		"http":                                    {backend{Type: "http", Config: config{"address": "https://h/{suffix}", "lock_address": "https://h/{suffix}/lock", "unlock_address": "https://h/{suffix}/lock"}}, nil},
		"http with the suffix in the query":       {backend{Type: "http", Config: config{"address": "https://h/state?name={suffix}"}}, nil},
		"http with the suffix in the host":        {backend{Type: "http", Config: config{"address": "https://{suffix}.h/state"}}, nil},
		"http with the suffix in the fragment":    {backend{Type: "http", Config: config{"address": "https://h/state#{suffix}"}}, []string{"spec.terraform.backend.config[address]:put {suffix}"}},
		"http with the suffix as user":            {backend{Type: "http", Config: config{"address": "https://{suffix}@h/state"}}, []string{"spec.terraform.backend.config[address]:put {suffix}"}},
		"http whose path leaves the suffix":       {backend{Type: "http", Config: config{"address": "https://h/{suffix}/%2e%2e/state"}}, []string{"spec.terraform.backend.config[address]:put {suffix}"}},
		"http with the suffix in the locks alone": {backend{Type: "http", Config: config{"address": "https://h/state", "lock_address": "https://h/{suffix}"}}, []string{"spec.terraform.backend.config[address]:put {suffix}"}},
		"http with one lock":                      {backend{Type: "http", Config: config{"address": "https://h/{suffix}", "unlock_address": "https://h/lock"}}, []string{"spec.terraform.backend.config[unlock_address]:put {suffix}"}},
		"http without an address":                 {backend{Type: "http"}, []string{"spec.terraform.backend.config[address]:put {suffix}"}},
		"Secret without name":                     {backend{Type: "s3", ConfigSecretRef: &corev1.LocalObjectReference{}}, []string{"spec.terraform.backend.configSecretRef.name:set the name"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := cluster()
			c.Spec.Terraform = &infrav1.TerraformSpec{Backend: &tc.backend}
			errs := c.Validate()
			assertErrors(t, tc.want, errs)
			assert.NotContains(t, fmt.Sprint(errs), "hush", "a secret must not be repeated")
		})
	}
}

func TestValidateFailureDomain(t *testing.T) {
	d := &infrav1.NutanixFailureDomain{}
	assertErrors(t, []string{"spec.prismElementCluster.type:set it", "spec.subnets:at least one"}, d.Validate())
	d.Spec = infrav1.NutanixFailureDomainSpec{PrismElementCluster: byUUID(vmUUID), Subnets: []infrav1.NutanixResourceIdentifier{byName("n")}}
	assertErrors(t, nil, d.Validate())
}

func terraform(api infrav1.PrismAPI, providerVersion string) *infrav1.TerraformSpec {
	return &infrav1.TerraformSpec{API: api, ProviderVersion: providerVersion}
}
