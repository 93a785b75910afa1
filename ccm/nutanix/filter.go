package nutanix

import (
	"strings"
	"time"
)

// condition is a part of a filter: an OData expression about one attribute. The zero condition holds for everything.
type condition struct{ attribute, text string }

// quote makes an OData string literal of any text: in single quotes, with single quotes inside doubled (OData 4.01 ABNF,
// rule "string"). Nothing else has a meaning inside of one; the query of the URL is escaped when it is sent.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// equals holds for an attribute of exactly that value, and for everything when the value is empty.
func equals(attribute, value string) condition {
	if value == "" {
		return condition{}
	}
	return condition{attribute, attribute + " eq " + quote(value)}
}

// startsWith holds for an attribute that begins with a prefix, and for everything when it is empty.
func startsWith(attribute, prefix string) condition {
	if prefix == "" {
		return condition{}
	}
	return condition{attribute, "startswith(" + attribute + "," + quote(prefix) + ")"}
}

// anyOf holds for a list with an element whose attribute has that value, and for everything when the value is empty.
func anyOf(list, attribute, value string) condition {
	if value == "" {
		return condition{}
	}
	return condition{list, list + "/any(x:x/" + attribute + " eq " + quote(value) + ")"}
}

// expression joins conditions to the value of $filter.
func expression(conditions []condition) string {
	texts := make([]string, 0, len(conditions))
	for _, one := range conditions {
		texts = append(texts, one.text)
	}
	return strings.Join(texts, " and ")
}

// refusalLife is how long an attribute is not filtered by after Prism Central has refused to; an upgrade is noticed within it.
const refusalLife = time.Hour

// usable leaves out the conditions that hold for everything, and those that Prism Central refused lately.
func (c *Client) usable(path string, conditions []condition) []condition {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []condition
	for _, one := range conditions {
		refused, known := c.refusals[path+" "+one.attribute]
		if one.text != "" && (!known || time.Since(refused) > refusalLife) {
			out = append(out, one)
		}
	}
	return out
}

// refuse remembers conditions without which a list could be read.
func (c *Client) refuse(path string, conditions []condition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range conditions {
		c.refusals[path+" "+one.attribute] = time.Now()
	}
}
