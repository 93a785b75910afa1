package nutanix

import "strings"

// quote makes an OData string literal of any text: in single quotes, with single quotes inside doubled (OData 4.01 ABNF,
// rule "string"). Nothing else has a meaning inside of one; the query of the URL is escaped when it is sent.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// equals is the filter for an attribute of exactly that value, and no filter when the value is empty.
func equals(attribute, value string) string {
	if value == "" {
		return ""
	}
	return attribute + " eq " + quote(value)
}

// startsWith is the filter for an attribute that begins with a prefix, and no filter when it is empty.
func startsWith(attribute, prefix string) string {
	if prefix == "" {
		return ""
	}
	return "startswith(" + attribute + "," + quote(prefix) + ")"
}

// both joins filters with "and".
func both(filters ...string) string {
	var given []string
	for _, filter := range filters {
		if filter != "" {
			given = append(given, filter)
		}
	}
	return strings.Join(given, " and ")
}
