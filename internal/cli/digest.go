package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

var (
	fullDigest  = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	shortDigest = regexp.MustCompile(`^[0-9a-f]{6,64}$`)
)

// resolveDigest returns the digest that begins with the hex digits in text. known are the digests of the existing plans. A full digest need
// not be known, because a decision may be made before the plan.
func resolveDigest(text string, known []string) (string, error) {
	digits := strings.TrimPrefix(text, "sha256:")
	if full := "sha256:" + digits; fullDigest.MatchString(full) {
		return full, nil
	}
	if !shortDigest.MatchString(digits) {
		return "", fmt.Errorf("invalid digest %q: give at least the first 6 of its 64 hex digits", text)
	}
	var matches []string
	for _, digest := range known {
		if strings.HasPrefix(digest, "sha256:"+digits) && !slices.Contains(matches, digest) {
			matches = append(matches, digest)
		}
	}
	switch len(matches) {
	case 0:
		return "", fmt.Errorf("no plan has a digest that begins with %s: give all 64 hex digits to decide a plan that does not exist yet", digits)
	case 1:
		return matches[0], nil
	default:
		return "", fmt.Errorf("%d digests begin with %s: give more hex digits", len(matches), digits)
	}
}

func changeDigests(plans []infrav1.NutanixPlan) []string {
	var digests []string
	for _, plan := range plans {
		digests = append(digests, plan.Spec.ChangeDigest)
	}
	return digests
}

func classDigests(plans []infrav1.NutanixPlan) []string {
	var digests []string
	for _, plan := range plans {
		digests = append(digests, plan.Spec.ClassDigest)
	}
	return digests
}
