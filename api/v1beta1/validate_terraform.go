package v1beta1

import (
	"fmt"
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/version"
)

// minDriftIntervalSeconds limits the load that drift checks put on Prism Central. The CRD schema has the same minimum.
const minDriftIntervalSeconds = 60

var exactVersion = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

// FirstProviderVersionForV4 is the first version of the nutanix provider with which the v4 API can be used.
const FirstProviderVersionForV4 = "2.4.0"

// Validate checks the provider version, the API, the backend, the drift interval and the approval.
func (t *TerraformSpec) Validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if t.ProviderVersion != "" && !exactVersion.MatchString(t.ProviderVersion) {
		errs = append(errs, field.Invalid(path.Child("providerVersion"), t.ProviderVersion,
			"must be one exact version, for example 1.9.5, without operators"))
	} else if t.API == PrismAPIV4 && t.ProviderVersion != "" && tooOldForV4(t.ProviderVersion) {
		errs = append(errs, field.Invalid(path.Child("providerVersion"), t.ProviderVersion, fmt.Sprintf(
			"does not support the v4 API that %s asks for: set %s or later, or leave providerVersion out", path.Child("api"), FirstProviderVersionForV4)))
	}
	if t.Backend != nil {
		errs = append(errs, t.Backend.validate(path.Child("backend"))...)
	}
	if t.Drift != nil && t.Drift.IntervalSeconds != nil && *t.Drift.IntervalSeconds < minDriftIntervalSeconds {
		errs = append(errs, field.Invalid(path.Child("drift", "intervalSeconds"), *t.Drift.IntervalSeconds, "must be at least 60"))
	}
	if t.Approval != nil {
		errs = append(errs, t.Approval.Validate(path.Child("approval"))...)
	}
	return errs
}

// tooOldForV4 reports whether an exact version of the provider is older than FirstProviderVersionForV4. Prereleases count as the release.
func tooOldForV4(exact string) bool {
	parsed, err := version.ParseGeneric(exact)
	return err == nil && parsed.LessThan(version.MustParseGeneric(FirstProviderVersionForV4))
}
