package v1beta1

import (
	"cmp"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// stateArguments contains the backends of Terraform and OpenTofu that store the state outside of the run directory
// (https://developer.hashicorp.com/terraform/language/backend), and for each of them the arguments that together name a state. "local" is
// not allowed, because the state would be lost with the run directory.
var stateArguments = map[string][]string{
	"azurerm":    {"key"},
	"consul":     {"path"},
	"cos":        {"prefix", "key"},
	"gcs":        {"prefix"},
	"http":       {"address"},
	"kubernetes": nil,
	"oci":        {"key"},
	"oss":        {"prefix", "key"},
	"pg":         {"schema_name"},
	"remote":     {"workspaces.name"},
	"s3":         {"key"},
}

var (
	// secretArgument matches the names of backend arguments with secret values. It covers all backends.
	secretArgument = regexp.MustCompile(`(?i)(password|passwd|passphrase|token|credential|conn_str|http_auth|private_key|access_key|client_key|customer_key|encryption_key|secret)`)

	// openArgument matches the names of arguments that are not secret, although secretArgument matches them too. Their
	// values are only paths, names or flags.
	openArgument = regexp.MustCompile(`(?i)(^(skip|use)_|^kms_encryption_key$|_files?$|_path$|_id$)`)

	// secretID is the name that Tencent Cloud uses for an access key.
	secretID = regexp.MustCompile(`(?i)^secret_id$`)
)

// sampleSuffix stands for the state suffix of an object whose name is not known. No state suffix is longer.
const sampleSuffix = "machine-with-a-name-27-long-0123456789-01234567-machine"

func (b *TerraformBackend) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	_, supported := stateArguments[b.Type]
	switch {
	case b.Type == "local":
		errs = append(errs, field.Invalid(path.Child("type"), b.Type,
			"a local state would be lost with the run's directory: choose another backend, or none for the kubernetes backend"))
	case !supported:
		errs = append(errs, field.NotSupported(path.Child("type"), b.Type, slices.Sorted(maps.Keys(stateArguments))))
	case b.Type == "kubernetes" && len(b.Config) > 0:
		errs = append(errs, field.Forbidden(path.Child("config"),
			"the kubernetes backend has no arguments: the state is stored in the namespace of each object"))
	case b.Type == "kubernetes" && b.ConfigSecretRef != nil:
		errs = append(errs, field.Forbidden(path.Child("configSecretRef"),
			"the kubernetes backend uses the permissions of the manager and needs no secrets: remove configSecretRef"))
	default:
		errs = append(errs, b.validateState(path, "{namespace}", "{name}", sampleSuffix)...)
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

// ValidateState checks that the object namespace/name with the state suffix suffix shares neither its state nor its lock with another
// object. The controllers call it before Terraform runs, because an object may have been stored before admission checked this.
func (b *TerraformBackend) ValidateState(namespace, name, suffix string) error {
	path := field.NewPath("spec", "terraform", "backend")
	if _, supported := stateArguments[b.Type]; !supported {
		return field.NotSupported(path.Child("type"), b.Type, slices.Sorted(maps.Keys(stateArguments)))
	}
	return b.validateState(path, namespace, name, suffix).ToAggregate()
}

// validateState compares where the backend stores the state of the object with where it would store the state of an object with another
// suffix.
func (b *TerraformBackend) validateState(path *field.Path, namespace, name, suffix string) field.ErrorList {
	var errs field.ErrorList
	one, other := b.locations(namespace, name, suffix), b.locations(namespace, name, otherSuffix(suffix))
	for _, argument := range slices.Sorted(maps.Keys(one)) {
		if one[argument] == other[argument] {
			errs = append(errs, field.Forbidden(path.Child("config").Key(argument),
				"several objects would have one state or one lock: put {suffix} into the part of the value that names the state"))
		}
	}
	return errs
}

// otherSuffix returns a suffix that differs from suffix only in the last character before the kind. Both the digest of v0.1.0 and the
// workspace key end there.
func otherSuffix(suffix string) string {
	last := max(strings.LastIndex(suffix, "-"), 1) - 1
	other := "x"
	if suffix[last:last+1] == other {
		other = "y"
	}
	return suffix[:last] + other + suffix[last+1:]
}

// Arguments returns the arguments of the backend block for the object namespace/name with the state suffix suffix. If the configuration
// does not name the state, Arguments does so with the suffix, except for backends without a usable default.
func (b *TerraformBackend) Arguments(namespace, name, suffix string) map[string]string {
	placeholders := strings.NewReplacer("{namespace}", namespace, "{name}", name, "{suffix}", suffix)
	arguments := map[string]string{}
	for argument, value := range b.Config {
		arguments[argument] = placeholders.Replace(value)
	}
	if named := stateArguments[b.Type]; len(named) > 0 && b.Type != "http" && b.Type != "remote" {
		arguments[named[0]] = cmp.Or(arguments[named[0]], suffix)
	}
	return arguments
}

// maxIdentifier is the length in bytes to which PostgreSQL truncates the names of schemas.
const maxIdentifier = 63

// locations returns where the backend stores the state and the locks of an object. The keys are the arguments that name them.
func (b *TerraformBackend) locations(namespace, name, suffix string) map[string]string {
	named, arguments := stateArguments[b.Type], b.Arguments(namespace, name, suffix)
	switch b.Type {
	case "kubernetes":
		return nil
	case "http":
		locations := map[string]string{"address": urlLocation(arguments["address"])}
		for _, argument := range []string{"lock_address", "unlock_address"} {
			if address := arguments[argument]; address != "" {
				locations[argument] = urlLocation(address)
			}
		}
		return locations
	case "pg":
		schema := arguments[named[0]]
		return map[string]string{named[0]: schema[:min(len(schema), maxIdentifier)]}
	}
	var parts []string
	for _, argument := range named {
		parts = append(parts, arguments[argument])
	}
	return map[string]string{named[0]: path.Join(parts...)}
}

// urlLocation returns the parts of an address by which a server can tell two states apart. The fragment is not sent to the server, and
// the user is not part of the location.
func urlLocation(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return address // Terraform refuses the address
	}
	return parsed.Host + path.Clean("/"+parsed.Path) + "?" + parsed.RawQuery
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
