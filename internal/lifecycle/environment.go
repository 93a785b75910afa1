package lifecycle

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// encryptionVariable configures OpenTofu's encryption of states and plans (https://opentofu.org/docs/language/state/encryption/).
const encryptionVariable = "TF_ENCRYPTION"

// backendVariables lists the environment variables that the documentation of each backend names
// (https://developer.hashicorp.com/terraform/language/backend and https://opentofu.org/docs/language/settings/backends/configuration/). A
// name that ends in "*" allows all variables with this prefix. Variables that name a state or a lock (TF_HTTP_ADDRESS, PG_SCHEMA_NAME) are
// missing, because two objects could share a state with them. So are the variables of the whole run, such as HTTPS_PROXY.
var backendVariables = map[string][]string{
	"azurerm": {
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "ARM_ACCESS_KEY", "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID",
		"ARM_CLIENT_CERTIFICATE", "ARM_CLIENT_CERTIFICATE_PASSWORD", "ARM_CLIENT_CERTIFICATE_PATH", "ARM_CLIENT_ID", "ARM_CLIENT_ID_FILE_PATH",
		"ARM_CLIENT_SECRET", "ARM_CLIENT_SECRET_FILE_PATH", "ARM_CUSTOMER_PROVIDED_KEY", "ARM_ENCRYPTION_SCOPE", "ARM_ENDPOINT",
		"ARM_ENVIRONMENT", "ARM_METADATA_HOST", "ARM_METADATA_HOSTNAME", "ARM_MSI_ENDPOINT", "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID",
		"ARM_OIDC_REQUEST_TOKEN", "ARM_OIDC_REQUEST_URL", "ARM_OIDC_TOKEN", "ARM_OIDC_TOKEN_FILE_PATH", "ARM_SAS_TOKEN", "ARM_SNAPSHOT",
		"ARM_SUBSCRIPTION_ID", "ARM_TENANT_ID", "ARM_TIMEOUT_SECONDS", "ARM_USE_AKS_WORKLOAD_IDENTITY", "ARM_USE_AZUREAD", "ARM_USE_CLI",
		"ARM_USE_DNS_ZONE_ENDPOINT", "ARM_USE_MSI", "ARM_USE_OIDC", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "AZURE_CLIENT_ID",
		"AZURE_FEDERATED_TOKEN_FILE", "AZURE_TENANT_ID", "MSI_ENDPOINT", "SYSTEM_ACCESSTOKEN", "SYSTEM_OIDCREQUESTURI",
	},
	"consul": {
		"CONSUL_CACERT", "CONSUL_CLIENT_CERT", "CONSUL_CLIENT_KEY", "CONSUL_HTTP_ADDR", "CONSUL_HTTP_AUTH", "CONSUL_HTTP_SSL",
		"CONSUL_HTTP_TOKEN",
	},
	"cos": {
		"TENCENTCLOUD_ASSUME_ROLE_ARN", "TENCENTCLOUD_ASSUME_ROLE_EXTERNAL_ID", "TENCENTCLOUD_ASSUME_ROLE_SESSION_DURATION",
		"TENCENTCLOUD_ASSUME_ROLE_SESSION_NAME", "TENCENTCLOUD_CAM_ROLE_NAME", "TENCENTCLOUD_DOMAIN", "TENCENTCLOUD_ENDPOINT",
		"TENCENTCLOUD_PROFILE", "TENCENTCLOUD_REGION", "TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_SECURITY_TOKEN",
		"TENCENTCLOUD_SHARED_CREDENTIALS_DIR",
	},
	"gcs": {
		"GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_BACKEND_CREDENTIALS", "GOOGLE_BACKEND_IMPERSONATE_SERVICE_ACCOUNT",
		"GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT", "GOOGLE_BACKEND_UNIVERSE_DOMAIN", "GOOGLE_CLOUD_UNIVERSE_DOMAIN", "GOOGLE_CREDENTIALS",
		"GOOGLE_ENCRYPTION_KEY", "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT", "GOOGLE_KMS_ENCRYPTION_KEY", "GOOGLE_OAUTH_ACCESS_TOKEN",
		"GOOGLE_STORAGE_CUSTOM_ENDPOINT",
	},
	"http": {
		"TF_HTTP_CLIENT_CA_CERTIFICATE_PEM", "TF_HTTP_CLIENT_CERTIFICATE_PEM", "TF_HTTP_CLIENT_PRIVATE_KEY_PEM", "TF_HTTP_LOCK_METHOD",
		"TF_HTTP_PASSWORD", "TF_HTTP_RETRY_MAX", "TF_HTTP_RETRY_WAIT_MAX", "TF_HTTP_RETRY_WAIT_MIN", "TF_HTTP_UNLOCK_METHOD",
		"TF_HTTP_UPDATE_METHOD", "TF_HTTP_USERNAME",
	},
	"oci": {
		"OCI_auth", "OCI_config_file_profile", "OCI_fingerprint", "OCI_kms_key_id", "OCI_private_key", "OCI_private_key_password",
		"OCI_private_key_path", "OCI_region", "OCI_sse_customer_algorithm", "OCI_sse_customer_key", "OCI_sse_customer_key_sha256",
		"OCI_tenancy_ocid", "OCI_user_ocid",
	},
	"oss": {
		"ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_CREDENTIALS_FILE", "ALIBABA_CLOUD_ECS_METADATA",
		"ALIBABA_CLOUD_OSS_ENDPOINT", "ALIBABA_CLOUD_PROFILE", "ALIBABA_CLOUD_REGION", "ALIBABA_CLOUD_ROLE_ARN",
		"ALIBABA_CLOUD_ROLE_SESSION_NAME", "ALIBABA_CLOUD_SECURITY_TOKEN", "ALIBABA_CLOUD_STS_ENDPOINT", "ALIBABA_CLOUD_TABLESTORE_ENDPOINT",
		"ALICLOUD_ACCESS_KEY", "ALICLOUD_ACCESS_KEY_ID", "ALICLOUD_ACCESS_KEY_SECRET", "ALICLOUD_ASSUME_ROLE_ARN",
		"ALICLOUD_ASSUME_ROLE_SESSION_EXPIRATION", "ALICLOUD_ASSUME_ROLE_SESSION_NAME", "ALICLOUD_DEFAULT_REGION", "ALICLOUD_ECS_ROLE_NAME",
		"ALICLOUD_OSS_ENDPOINT", "ALICLOUD_PROFILE", "ALICLOUD_REGION", "ALICLOUD_SECRET_KEY", "ALICLOUD_SECURITY_TOKEN",
		"ALICLOUD_SHARED_CREDENTIALS_FILE", "ALICLOUD_STS_ENDPOINT", "ALICLOUD_TABLESTORE_ENDPOINT", "OSS_ENDPOINT",
	},
	"pg": {
		"PGAPPNAME", "PGCONNECT_TIMEOUT", "PGDATABASE", "PGHOST", "PGPASSWORD", "PGPORT", "PGSSLCERT", "PGSSLKEY", "PGSSLMODE",
		"PGSSLROOTCERT", "PGUSER", "PG_CONN_STR", "PG_SKIP_INDEX_CREATION", "PG_SKIP_SCHEMA_CREATION", "PG_SKIP_TABLE_CREATION",
	},
	"remote": {"TF_TOKEN_*"},
	"s3": {
		"AWS_ACCESS_KEY_ID", "AWS_CA_BUNDLE", "AWS_DEFAULT_REGION", "AWS_DYNAMODB_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT",
		"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_IAM",
		"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL_STS", "AWS_IAM_ENDPOINT", "AWS_METADATA_URL", "AWS_PROFILE",
		"AWS_REGION", "AWS_RETRY_MODE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_S3_ENDPOINT", "AWS_SECRET_ACCESS_KEY",
		"AWS_SESSION_TOKEN", "AWS_SHARED_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_SSE_CUSTOMER_KEY", "AWS_STS_ENDPOINT",
		"AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT", "AWS_WEB_IDENTITY_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE",
	},
}

// Environment returns the environment variables in secret, the content of the Secret that spec.terraform.backend.configSecretRef names.
// openTofu reports whether runs use OpenTofu. Environment returns an error if secret contains a variable that the backend does not
// document.
func Environment(spec *infrav1.TerraformBackend, secret map[string][]byte, openTofu bool) (map[string]string, error) {
	environment := map[string]string{}
	if storedByManager(spec) {
		return environment, nil
	}
	for _, variable := range slices.Sorted(maps.Keys(secret)) {
		value := string(secret[variable])
		if err := checkVariable(spec.Type, variable, value, openTofu); err != nil {
			return nil, err
		}
		environment[variable] = value
	}
	return environment, nil
}

func checkVariable(backendType, variable, value string, openTofu bool) error {
	switch {
	case strings.ContainsRune(value, 0):
		return fmt.Errorf("the value of %s contains a NUL character: environment variables must not contain one", variable)
	case variable == encryptionVariable && !openTofu:
		return fmt.Errorf("%s encrypts states only with OpenTofu, but this manager runs Terraform: "+
			"start it with --terraform-path of a tofu binary, or remove the key", variable)
	case variable == encryptionVariable:
		return checkEncryption(value)
	case slices.ContainsFunc(backendVariables[backendType], func(allowed string) bool {
		prefix, isPrefix := strings.CutSuffix(allowed, "*")
		return variable == allowed || isPrefix && strings.HasPrefix(variable, prefix)
	}):
		return nil
	}
	return fmt.Errorf("key %s is not allowed for backend %s: remove it. Allowed are %s, and with OpenTofu %s",
		variable, backendType, strings.Join(backendVariables[backendType], ", "), encryptionVariable)
}

// checkEncryption parses a configuration of OpenTofu's state encryption as OpenTofu does. It refuses key providers and methods of type
// external, because they start a program in the pod of the manager. Errors contain no part of the configuration.
func checkEncryption(configuration string) error {
	var file *hcl.File
	var diags hcl.Diagnostics
	if strings.HasPrefix(strings.TrimSpace(configuration), "{") {
		file, diags = json.Parse([]byte(configuration), encryptionVariable)
	} else {
		file, diags = hclsyntax.ParseConfig([]byte(configuration), encryptionVariable, hcl.InitialPos)
	}
	if diags.HasErrors() {
		return errors.New(encryptionVariable + " is neither valid HCL nor valid JSON: correct it")
	}
	content, _, diags := file.Body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "key_provider", LabelNames: []string{"type", "name"}}, {Type: "method", LabelNames: []string{"type", "name"}}, {Type: "state"},
	}})
	if diags.HasErrors() {
		return errors.New(encryptionVariable + " has a block key_provider or method without type and name: correct it")
	}
	for _, block := range content.Blocks {
		if len(block.Labels) > 0 && block.Labels[0] == "external" {
			return fmt.Errorf("%s has a %s of type external, which would start a program in the manager: use another type",
				encryptionVariable, block.Type)
		}
	}
	if len(content.Blocks.OfType("state")) == 0 {
		return errors.New(encryptionVariable + " has no block state, so no state would be encrypted: add it")
	}
	return nil
}
