package prismv4

import (
	"strings"
	"time"
)

// Condition is a part of a filter: an OData expression for one attribute. The zero Condition selects all items.
type Condition struct{ attribute, text string }

// quote returns an OData string literal: the text in single quotes, with single quotes in it doubled (OData 4.01 ABNF, rule "string"). The
// query of the URL is escaped when it is sent.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// Equals selects the items whose attribute has the value. If value is empty, it selects all items.
func Equals(attribute, value string) Condition {
	if value == "" {
		return Condition{}
	}
	return Condition{attribute, attribute + " eq " + quote(value)}
}

// StartsWith selects the items whose attribute starts with prefix. If prefix is empty, it selects all items.
func StartsWith(attribute, prefix string) Condition {
	if prefix == "" {
		return Condition{}
	}
	return Condition{attribute, "startswith(" + attribute + "," + quote(prefix) + ")"}
}

// AnyOf selects the items that have a list with an element whose attribute has the value. If value is empty, it selects all items.
func AnyOf(list, attribute, value string) Condition {
	if value == "" {
		return Condition{}
	}
	return Condition{list, list + "/any(x:x/" + attribute + " eq " + quote(value) + ")"}
}

// In selects the items whose attribute has one of the values. If values is empty, it selects all items.
func In(attribute string, values ...string) Condition {
	if len(values) == 0 {
		return Condition{}
	}
	quoted := make([]string, 0, len(values))
	for _, value := range values {
		quoted = append(quoted, quote(value))
	}
	return Condition{attribute, attribute + " in (" + strings.Join(quoted, ",") + ")"}
}

// String returns the expression.
func (c Condition) String() string { return c.text }

// expression returns the value of $filter for conditions.
func expression(conditions []Condition) string {
	texts := make([]string, 0, len(conditions))
	for _, one := range conditions {
		texts = append(texts, one.text)
	}
	return strings.Join(texts, " and ")
}

// refusalLife is how long an attribute is not used in filters after Prism Central has rejected it. An upgrade takes effect within this time.
const refusalLife = time.Hour

// usable returns the conditions without those that select all items and those that Prism Central rejected less than refusalLife ago.
func (c *Client) usable(path string, conditions []Condition) []Condition {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Condition
	for _, one := range conditions {
		refused, known := c.refusals[path+" "+one.attribute]
		if one.text != "" && (!known || time.Since(refused) > refusalLife) {
			out = append(out, one)
		}
	}
	return out
}

// refuse records that Prism Central has rejected the conditions.
func (c *Client) refuse(path string, conditions []Condition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range conditions {
		c.refusals[path+" "+one.attribute] = time.Now()
	}
}
