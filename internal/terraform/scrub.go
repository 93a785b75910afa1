package terraform

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// redactedMark stands for a secret in a text.
const redactedMark = "(redacted)"

// A secret shorter than this would blot out ordinary words; a single line of a longer secret must be longer still.
const (
	minSecret     = 4
	minSecretLine = 8
)

// secretName matches the names of environment variables whose values are secrets.
var secretName = regexp.MustCompile(`(?i)pass|secret|token|key|credential|conn_str|auth|header`)

// scrubber removes the secrets of a run from texts and values.
type scrubber struct {
	replacer *strings.Replacer
}

// newScrubber knows all variables, and of the environments the values whose names say that they are secret.
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
	// The replacer takes the first match in this order: the longest form must win.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, secret := range slices.Compact(secrets) {
		pairs = append(pairs, secret, redactedMark)
	}
	return scrubber{replacer: strings.NewReplacer(pairs...)}
}

// secretForms lists how a secret may appear: as it is, on one line, escaped, and line by line.
func secretForms(secret string) []string {
	if len(strings.TrimSpace(secret)) < minSecret {
		return nil
	}
	forms := []string{secret, collapse(secret)}
	// A string always encodes.
	escaped, _ := json.Marshal(secret)
	forms = append(forms, strings.Trim(string(escaped), `"`))
	for line := range strings.Lines(secret) {
		if line = strings.TrimSpace(line); len(line) >= minSecretLine {
			forms = append(forms, line, collapse(line))
		}
	}
	return forms
}

// text returns s without secrets.
func (s scrubber) text(text string) string { return s.replacer.Replace(text) }

// value returns a JSON value without secrets. Attributes that are sensitive by name are masked whole.
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
