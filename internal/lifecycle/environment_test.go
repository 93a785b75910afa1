package lifecycle

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

const encryption = `
key_provider "pbkdf2" "main" { passphrase = "s3cr3t of many characters" }
method "aes_gcm" "main" { keys = key_provider.pbkdf2.main }
state { method = method.aes_gcm.main }
`

func TestEnvironment(t *testing.T) {
	tests := map[string]struct {
		backend, variable, value string
		openTofu                 bool
		err                      string
	}{
		"s3":                                 {"s3", "AWS_SECRET_ACCESS_KEY", "s3cr3t", false, ""},
		"remote":                             {"remote", "TF_TOKEN_app_terraform_io", "s3cr3t", false, ""},
		"oci":                                {"oci", "OCI_private_key", "s3cr3t", false, ""},
		"a variable of another backend":      {"s3", "ARM_ACCESS_KEY", "s3cr3t", false, "key ARM_ACCESS_KEY is not allowed for backend s3"},
		"the prefix alone":                   {"s3", "AWS_", "s3cr3t", false, "not allowed"},
		"a token for another backend":        {"http", "TF_TOKEN_app_terraform_io", "s3cr3t", false, "not allowed"},
		"the address of a state":             {"http", "TF_HTTP_ADDRESS", "s3cr3t", false, "Allowed are TF_HTTP_CLIENT_CA_CERTIFICATE_PEM,"},
		"the address of a lock":              {"http", "TF_HTTP_LOCK_ADDRESS", "s3cr3t", false, "not allowed"},
		"the schema of a state":              {"pg", "PG_SCHEMA_NAME", "s3cr3t", false, "not allowed"},
		"the key of a state":                 {"oci", "OCI_key", "s3cr3t", false, "not allowed"},
		"PATH":                               {"http", "PATH", "s3cr3t", false, "key PATH is not allowed"},
		"a library":                          {"http", "LD_PRELOAD", "s3cr3t", false, "not allowed"},
		"arguments of Terraform":             {"http", "TF_CLI_ARGS_apply", "s3cr3t", false, "not allowed"},
		"a NUL character":                    {"http", "TF_HTTP_PASSWORD", "s3cr3t\x00", false, "TF_HTTP_PASSWORD contains a NUL character"},
		"kubernetes":                         {"kubernetes", "PATH", "s3cr3t", false, ""},
		"encryption":                         {"http", "TF_ENCRYPTION", encryption, true, ""},
		"encryption as JSON":                 {"pg", "TF_ENCRYPTION", `{"state": {"method": "${method.aes_gcm.main}"}, "key_provider": {"pbkdf2": {"main": {"passphrase": "s3cr3t"}}}}`, true, ""},
		"encryption with Terraform":          {"http", "TF_ENCRYPTION", encryption, false, "only with OpenTofu"},
		"encryption by a program":            {"http", "TF_ENCRYPTION", `key_provider "external" "s3cr3t" { command = ["sh"] }`, true, "key_provider of type external"},
		"encryption by a program in JSON":    {"http", "TF_ENCRYPTION", `{"method": {"external": {"s3cr3t": {"encrypt_command": ["sh"]}}}}`, true, "method of type external"},
		"encryption that cannot be parsed":   {"http", "TF_ENCRYPTION", `s3cr3t "`, true, "neither valid HCL nor valid JSON"},
		"encryption without a type":          {"http", "TF_ENCRYPTION", `key_provider "s3cr3t" {}`, true, "without type and name"},
		"encryption of the plans alone":      {"http", "TF_ENCRYPTION", `plan { method = method.aes_gcm.s3cr3t }`, true, "no block state"},
		"encryption without a configuration": {"http", "TF_ENCRYPTION", " ", true, "no block state"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			environment, err := Environment(&infrav1.TerraformBackend{Type: test.backend}, map[string][]byte{test.variable: []byte(test.value)}, test.openTofu)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				assert.NotContains(t, err.Error(), "s3cr3t")
				return
			}
			require.NoError(t, err)
			if test.backend == kubernetesBackend {
				assert.Empty(t, environment, "runs have no access to the management cluster")
			} else {
				assert.Equal(t, map[string]string{test.variable: test.value}, environment)
			}
		})
	}
}
