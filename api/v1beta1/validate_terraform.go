package v1beta1

import (
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// minDriftIntervalSeconds limits the load that drift checks put on Prism Central. The CRD schema has the same minimum.
const minDriftIntervalSeconds = 60

var exactVersion = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

// Validate checks the provider version, the backend, the drift interval and the approval.
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
	if t.Approval != nil {
		errs = append(errs, t.Approval.Validate(path.Child("approval"))...)
	}
	return errs
}
