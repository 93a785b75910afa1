package renderer

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// ErrInvalidInput means that the inputs are invalid, so a retry with the same inputs fails again. It matches every InputError
// (errors.Is).
var ErrInvalidInput = errors.New("invalid input")

// InputError means that the value of one field is invalid. errors.Is(err, ErrInvalidInput) is true for every InputError.
type InputError struct {
	// Field is the path of the field in Machine, Cluster or Settings, for example disks[1].index.
	Field string
	// Reason completes the sentence "<field> <reason>", for example with "must not be empty".
	Reason string
}

func (e *InputError) Error() string {
	return fmt.Sprintf("%s: %s %s", ErrInvalidInput, e.Field, e.Reason)
}

// Is reports whether target is ErrInvalidInput.
func (e *InputError) Is(target error) bool { return target == ErrInvalidInput }

var (
	uuidPattern    = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	versionPattern = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)
	namePattern    = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	keyPattern     = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$`)
)

// problems collects errors, so that users see all errors at once.
type problems []error

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, &InputError{Field: field, Reason: fmt.Sprintf(format, args...)})
}

// check adds an error for a field if ok is false.
func (p *problems) check(ok bool, field, format string, args ...any) {
	if !ok {
		p.add(field, format, args...)
	}
}

// text checks that Terraform would leave a string unchanged. Terraform requires valid UTF-8 and normalizes strings to NFC.
func (p *problems) text(field, value string) {
	switch {
	case !utf8.ValidString(value):
		p.add(field, "is not UTF-8")
	case !norm.NFC.IsNormalString(value):
		p.add(field, "is not in Unicode normal form C, and Terraform would change it; write its accents as single characters")
	}
}

func (p *problems) required(field, value string) {
	p.check(value != "", field, "must not be empty")
	p.text(field, value)
}

func (p *problems) ref(field string, ref Ref) {
	p.check(uuidPattern.MatchString(ref.UUID), field+".uuid", "must be a UUID, not %q", ref.UUID)
}

func (p *problems) oneOf(field, value string, allowed ...string) {
	p.check(slices.Contains(allowed, value), field, "must be one of %s, not %q", strings.Join(allowed, ", "), value)
}

func (p problems) err(doing string) error {
	if len(p) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, errors.Join(p...))
}

func validateMachine(settings Settings, machine Machine) error {
	var found problems
	validateSettings(&found, settings)
	found.required("name", machine.Name)
	found.text("description", machine.Description)
	found.ref("prismElement", machine.PrismElement)
	if machine.Project != nil {
		found.ref("project", *machine.Project)
	}
	found.check(len(machine.Subnets) > 0, "subnets", "must name at least one subnet")
	for i, subnet := range machine.Subnets {
		found.ref(fmt.Sprintf("subnets[%d]", i), subnet)
	}
	found.check(machine.Sockets >= 1, "sockets", "must be at least 1")
	found.check(machine.VCPUsPerSocket >= 1, "vcpusPerSocket", "must be at least 1")
	found.check(machine.MemoryMiB >= 1, "memoryMiB", "must be at least 1")
	validateBootType(&found, settings.API, machine.BootType)
	validateDisks(&found, machine)
	validateGPUs(&found, machine.GPUs)
	validateCategories(&found, settings.API, machine)
	return found.err(fmt.Sprintf("rendering workspace of machine %q", machine.Name))
}

func validateBootType(found *problems, api API, bootType string) {
	switch {
	case bootType == "":
	case api == APIV4:
		found.oneOf("bootType", bootType, BootLegacy, BootUEFI, BootSecure)
	default:
		found.oneOf("bootType", bootType, BootLegacy, BootUEFI)
	}
}

func validateCategories(found *problems, api API, machine Machine) {
	if api == APIV4 {
		found.check(len(machine.Categories) == 0, "categories", "must be empty with the v4 API, which uses categoryRefs")
		for i, category := range machine.CategoryRefs {
			found.ref(fmt.Sprintf("categoryRefs[%d]", i), category)
		}
		return
	}
	found.check(len(machine.CategoryRefs) == 0, "categoryRefs", "must be empty with the v3 API, which uses categories")
	for _, key := range slices.Sorted(maps.Keys(machine.Categories)) {
		found.required(fmt.Sprintf("categories key %q", key), key)
		found.required(fmt.Sprintf("categories[%q]", key), machine.Categories[key])
	}
}

func validateGPUs(found *problems, gpus []GPU) {
	for i, gpu := range gpus {
		field := fmt.Sprintf("gpus[%d]", i)
		found.required(field+".vendor", gpu.Vendor)
		found.oneOf(field+".mode", gpu.Mode, "PASSTHROUGH_GRAPHICS", "PASSTHROUGH_COMPUTE", "VIRTUAL")
		found.check(gpu.DeviceID > 0, field+".deviceID", "must be above 0")
	}
}

func validateCluster(settings Settings, cluster Cluster) error {
	var found problems
	validateSettings(&found, settings)
	parts := []struct{ field, value string }{{"categoryKey", cluster.CategoryKey}, {"categoryValue", cluster.CategoryValue}}
	if controlPlane := cluster.ControlPlane; controlPlane != nil {
		found.check(settings.API == APIV4, "controlPlane", "requires the v4 API")
		found.check(controlPlane.CategoryKey != cluster.CategoryKey, "controlPlane.categoryKey", "must not be the key of the cluster's category")
		parts = append(parts, []struct{ field, value string }{
			{"controlPlane.categoryKey", controlPlane.CategoryKey}, {"controlPlane.categoryValue", controlPlane.CategoryValue}}...)
	}
	for _, part := range parts {
		found.required(part.field, part.value)
		// Prism limits the keys and the values of categories to 64 characters.
		length := utf8.RuneCountInString(part.value)
		found.check(length <= 64, part.field, "must have at most 64 characters, not %d", length)
	}
	return found.err("rendering workspace of cluster category")
}

func validateSettings(found *problems, settings Settings) {
	found.oneOf("api", string(settings.API.orDefault()), string(APIV3), string(APIV4))
	found.check(versionPattern.MatchString(settings.ProviderVersion), "providerVersion",
		"must be an exact version such as 1.9.5, not %q", settings.ProviderVersion)
	found.check(namePattern.MatchString(settings.Backend.Type), "backend.type",
		"must be the name of a Terraform backend such as kubernetes, not %q", settings.Backend.Type)
	config := settings.Backend.Config
	for _, key := range slices.Sorted(maps.Keys(config)) {
		field := fmt.Sprintf("backend.config[%q]", key)
		outer, _, dotted := strings.Cut(key, ".")
		_, taken := config[outer]
		found.check(keyPattern.MatchString(key), field, "is not an argument of a backend: use lower-case letters, digits, _ and at most one dot")
		found.check(!dotted || !taken, field, "conflicts with the argument %q", outer)
		found.check(!holdsSecret(key, config[key]), field,
			"holds a secret, which must not be written into a workspace; put it into the Secret that configSecretRef names")
		found.text(field, config[key])
	}
}

// secretArguments lists the arguments of Terraform's backends whose values are secrets.
var secretArguments = []string{
	"access_key", "access_token", "client_certificate_password", "client_key", "client_private_key_pem", "client_secret",
	"credentials", "customer_encryption_key", "encryption_key", "oidc_request_token", "oidc_token", "password",
	"sas_token", "secret_id", "secret_key", "security_token", "sse_customer_key", "token",
}

// urlPassword matches a URL or a connection string that contains a password.
var urlPassword = regexp.MustCompile(`://[^/@\s:]*:[^/@\s]+@|(?i:\bpassword\s*=)`)

func holdsSecret(key, value string) bool {
	name := key[strings.LastIndex(key, ".")+1:]
	return slices.Contains(secretArguments, name) || urlPassword.MatchString(value)
}
