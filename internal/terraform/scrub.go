package terraform

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// redactedMark replaces a secret in a text.
const redactedMark = "(redacted)"

// Minimum lengths of a secret and of one line of a secret that are replaced. Shorter ones would match ordinary words.
const (
	minSecret     = 4
	minSecretLine = 8
)

// secretName matches the names of environment variables with secret values.
var secretName = regexp.MustCompile(`(?i)pass|secret|token|key|credential|conn_str|auth|header`)

// scrubber replaces the secrets of a run in texts and values.
type scrubber struct {
	replacer *strings.Replacer
}

// newScrubber returns a scrubber for the values of all variables, and of the environment variables with secret names.
func newScrubber(variables map[string]string, environments ...map[string]string) scrubber {
	var secrets []string
	for _, value := range variables {
		secrets = append(secrets, secretForms(value)...)
	}
	for _, environment := range environments {
		for name, value := range environment {
			if secretName.MatchString(name) && !strings.HasPrefix(value, "/") {
				secrets = append(secrets, secretForms(value)...)
			}
		}
	}
	// The replacer uses the first match in this order, so the longest form must be first.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, secret := range slices.Compact(secrets) {
		pairs = append(pairs, secret, redactedMark)
	}
	return scrubber{replacer: strings.NewReplacer(pairs...)}
}

// secretForms returns the forms in which a secret may appear: unchanged, on one line, escaped, and line by line.
func secretForms(secret string) []string {
	if len(strings.TrimSpace(secret)) < minSecret {
		return nil
	}
	forms := []string{secret, collapse(secret)}
	// Marshal does not fail for a string.
	escaped, _ := json.Marshal(secret)
	forms = append(forms, strings.Trim(string(escaped), `"`))
	for line := range strings.Lines(secret) {
		if line = strings.TrimSpace(line); len(line) >= minSecretLine {
			forms = append(forms, line, collapse(line))
		}
	}
	return forms
}

// text returns the text without secrets.
func (s scrubber) text(text string) string { return s.replacer.Replace(text) }

// value returns a JSON value without secrets. Attributes with sensitive names are masked as a whole.
func (s scrubber) value(value any) any {
	switch value := value.(type) {
	case string:
		return s.text(value)
	case []any:
		for i := range value {
			value[i] = s.value(value[i])
		}
	case map[string]any:
		for name, inner := range value {
			if inner != nil && isSensitiveAttribute(name) {
				value[name] = sensitiveMark
				continue
			}
			value[name] = s.value(inner)
		}
	}
	return value
}
