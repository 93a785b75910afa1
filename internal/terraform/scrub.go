package terraform

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// redactedMark replaces a secret in a text.
const redactedMark = "(redacted)"

// Minimum length of a secret, and of one line of a secret. Shorter texts are not replaced, because ordinary words could contain them.
const (
	minSecret      = 4
	minSecretLine  = 8
	minDecodedLine = 16
)

// secretName matches the names of environment variables that may contain a secret.
var secretName = regexp.MustCompile(`(?i)pass|secret|token|key|credential|conn_str|auth|header`)

// encryptionVariable contains OpenTofu's configuration of state encryption. quoted matches the strings in it, for example a passphrase.
const encryptionVariable = "TF_ENCRYPTION"

var quoted = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)

// scrubber replaces the secrets of a run in texts and JSON values.
type scrubber struct {
	secrets  []string
	replacer *strings.Replacer
}

// newScrubber returns a scrubber that replaces the values of all variables, and the values of environment variables whose names match
// secretName.
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
			if name != encryptionVariable {
				continue
			}
			for _, match := range quoted.FindAllStringSubmatch(value, -1) {
				if len(match[1]) >= minSecretLine {
					secrets = append(secrets, secretForms(match[1])...)
				}
			}
		}
	}
	return scrubberOf(secrets)
}

func scrubberOf(secrets []string) scrubber {
	// The longest secret must be first, because the replacer compares the secrets in this order.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	secrets = slices.Compact(secrets)
	var pairs []string
	for _, secret := range secrets {
		pairs = append(pairs, secret, redactedMark)
	}
	return scrubber{secrets: secrets, replacer: strings.NewReplacer(pairs...)}
}

// with returns a scrubber that replaces other secrets, too.
func (s scrubber) with(secrets []string) scrubber {
	all := slices.Clone(s.secrets)
	for _, secret := range secrets {
		all = append(all, secretForms(secret)...)
	}
	return scrubberOf(all)
}

// secretForms returns the forms in which a secret may appear in a text: unchanged, joined to one line, as an escaped string, and each
// line separately.
func secretForms(secret string) []string {
	if len(strings.TrimSpace(secret)) < minSecret {
		return nil
	}
	forms := []string{secret, collapse(secret)}
	// Marshalling a string cannot fail.
	escaped, _ := json.Marshal(secret)
	forms = append(forms, strings.Trim(string(escaped), `"`))
	for line := range strings.Lines(secret) {
		if line = strings.TrimSpace(line); len(line) >= minSecretLine {
			forms = append(forms, line, collapse(line))
		}
	}
	return forms
}

// decodedLines returns the lines of base64-encoded values. A server that decodes bootstrap data could repeat a line in a message.
func decodedLines(variables map[string]string) []string {
	var lines []string
	for _, value := range variables {
		decoded, err := base64.StdEncoding.DecodeString(value)
		if err != nil || !utf8.Valid(decoded) {
			continue
		}
		for line := range strings.Lines(string(decoded)) {
			if line = strings.TrimSpace(line); len(line) >= minDecodedLine {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// encodedPart matches strings that may be a part of base64-encoded data. Shorter strings are not compared with the secrets.
var encodedPart = regexp.MustCompile(`[A-Za-z0-9+/]{24,}={0,2}`)

// text replaces the secrets in a text. Servers shorten the data that their messages repeat, so text also replaces the parts of a
// base64-encoded secret.
func (s scrubber) text(text string) string {
	return encodedPart.ReplaceAllStringFunc(s.replacer.Replace(text), func(part string) string {
		if slices.ContainsFunc(s.secrets, func(secret string) bool { return strings.Contains(secret, part) }) {
			return redactedMark
		}
		return part
	})
}
