package v1beta1

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// backendTypes are the backends of Terraform and OpenTofu that store the state outside of the run directory
// (https://developer.hashicorp.com/terraform/language/backend). "local" is not allowed, because the state would be lost
// with the run directory.
var backendTypes = []string{"azurerm", "consul", "cos", "gcs", "http", "kubernetes", "oci", "oss", "pg", "remote", "s3"}

// minDriftIntervalSeconds limits the load that drift checks put on Prism Central. The CRD schema has the same minimum.
const minDriftIntervalSeconds = 60

var (
	exactVersion = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

	// secretArgument matches the names of backend arguments with secret values. It covers all backends.
	secretArgument = regexp.MustCompile(`(?i)(password|passwd|passphrase|token|credential|conn_str|http_auth|private_key|access_key|client_key|customer_key|encryption_key|secret)`)

	// openArgument matches the names of arguments that are not secret, although secretArgument matches them too. Their
	// values are only paths, names or flags.
	openArgument = regexp.MustCompile(`(?i)(^(skip|use)_|^kms_encryption_key$|_files?$|_path$|_id$)`)

	// secretID is the name that Tencent Cloud uses for an access key.
	secretID = regexp.MustCompile(`(?i)^secret_id$`)
)

// Validate checks the provider version, the backend and the drift interval.
func (t *TerraformSpec) Validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if t.ProviderVersion != "" && !exactVersion.MatchString(t.ProviderVersion) {
		errs = append(errs, field.Invalid(path.Child("providerVersion"), t.ProviderVersion,
			"must be one exact version, for example 1.9.5, without operators"))
	}
	if t.Backend != nil {
		errs = append(errs, t.Backend.validate(path.Child("backend"))...)
	}
	if t.Drift != nil && t.Drift.IntervalSeconds != nil && *t.Drift.IntervalSeconds < minDriftIntervalSeconds {
		errs = append(errs, field.Invalid(path.Child("drift", "intervalSeconds"), *t.Drift.IntervalSeconds, "must be at least 60"))
	}
	return errs
}

func (b *TerraformBackend) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch {
	case b.Type == "local":
		errs = append(errs, field.Invalid(path.Child("type"), b.Type,
			"a local state would be lost with the run's directory: choose another backend, or none for the kubernetes backend"))
	case !slices.Contains(backendTypes, b.Type):
		errs = append(errs, field.NotSupported(path.Child("type"), b.Type, backendTypes))
	case b.Type == "kubernetes" && len(b.Config) > 0:
		errs = append(errs, field.Forbidden(path.Child("config"),
			"the kubernetes backend has no arguments: the state is stored in the namespace of each object"))
	case b.Type == "kubernetes" && b.ConfigSecretRef != nil:
		errs = append(errs, field.Forbidden(path.Child("configSecretRef"),
			"the kubernetes backend uses the permissions of the manager and needs no secrets: remove configSecretRef"))
	}
	for _, argument := range slices.Sorted(maps.Keys(b.Config)) {
		if argumentIsSecret(argument) || hasPassword(b.Config[argument]) {
			errs = append(errs, field.Forbidden(path.Child("config").Key(argument),
				"looks like a secret: put it, as environment variable of the backend, into the Secret that configSecretRef names"))
		}
	}
	if b.ConfigSecretRef != nil && b.ConfigSecretRef.Name == "" {
		errs = append(errs, field.Required(path.Child("configSecretRef", "name"), "set the name of the Secret"))
	}
	return errs
}

func argumentIsSecret(argument string) bool {
	return secretID.MatchString(argument) || secretArgument.MatchString(argument) && !openArgument.MatchString(argument)
}

// hasPassword reports whether value is a URL that contains a password.
func hasPassword(value string) bool {
	if !strings.Contains(value, "://") {
		return false
	}
	parsed, err := url.Parse(value)
	if err != nil || parsed.User == nil {
		return false
	}
	_, found := parsed.User.Password()
	return found
}
