package v4

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// literal is a value in a $filter: a string, a number, a time, a Boolean, null, or an enumeration value such as
// Prism.Config.TaskStatus'FAILED'. The type of an enumeration value is ignored.
type literal struct {
	text   string
	isText bool
	isNull bool
}

var literalPattern = regexp.MustCompile(`^(?:[A-Za-z_][A-Za-z0-9_.]*)?'(.*)'$`)

func parseLiteral(token string) (literal, error) {
	if match := literalPattern.FindStringSubmatch(token); match != nil {
		return literal{text: strings.ReplaceAll(match[1], "''", "'"), isText: true}, nil
	}
	switch {
	case token == "null":
		return literal{isNull: true}, nil
	case token == "true" || token == "false":
		return literal{text: token}, nil
	case token != "" && (token[0] == '-' || token[0] >= '0' && token[0] <= '9'):
		return literal{text: token}, nil
	}
	return literal{}, fmt.Errorf("%q is not a value such as 'text', 12 or true", token)
}

// compare compares a property with the literal. It returns false if the values cannot be compared.
func (l literal) compare(value any) (order int, ok bool) {
	text, ok := valueText(value)
	if !ok {
		return 0, false
	}
	if _, isText := value.(string); !isText && !l.isText {
		a, errA := strconv.ParseFloat(text, 64)
		b, errB := strconv.ParseFloat(l.text, 64)
		if errA == nil && errB == nil {
			return cmp.Compare(a, b), true
		}
	}
	a, errA := time.Parse(time.RFC3339Nano, text)
	b, errB := time.Parse(time.RFC3339Nano, l.text)
	if errA == nil && errB == nil {
		return a.Compare(b), true
	}
	return cmp.Compare(text, l.text), true
}

// valueText returns a simple value in the format of the API. It returns false for objects, lists and nil.
func valueText(value any) (string, bool) {
	switch value.(type) {
	case string, bool, int, int64, float64, json.Number:
		return fmt.Sprint(value), true
	}
	return "", false
}

// equals reports whether a property equals the literal. A missing property equals null.
func (l literal) equals(value any) bool {
	if l.isNull {
		return value == nil
	}
	order, ok := l.compare(value)
	return ok && order == 0
}

var odataOrders = map[string]func(order int) bool{
	"gt": func(order int) bool { return order > 0 }, "ge": func(order int) bool { return order >= 0 },
	"lt": func(order int) bool { return order < 0 }, "le": func(order int) bool { return order <= 0 },
}

// comparison parses the rest of a comparison after the property: an operator with a value, in with a list, or nothing
// if the property is a Boolean.
func (p *odataParser) comparison(path string) (condition, error) {
	operator := p.peek()
	switch {
	case operator == "in":
		p.next()
		list, err := p.literals()
		if err != nil {
			return nil, err
		}
		return func(s scope) bool {
			value := s.lookup(path)
			for _, l := range list {
				if l.equals(value) {
					return true
				}
			}
			return false
		}, nil
	case operator == "eq" || operator == "ne" || odataOrders[operator] != nil:
		p.next()
		l, err := parseLiteral(p.next())
		if err != nil {
			return nil, err
		}
		return l.condition(path, operator), nil
	case operator == "" || operator == ")" || operator == "and" || operator == "or":
		return func(s scope) bool { return s.lookup(path) == true }, nil
	}
	return nil, fmt.Errorf("%q is not an operator", operator)
}

func (l literal) condition(path, operator string) condition {
	holds := odataOrders[operator]
	return func(s scope) bool {
		value := s.lookup(path)
		if holds == nil {
			return l.equals(value) == (operator == "eq")
		}
		order, ok := l.compare(value)
		return ok && holds(order)
	}
}

// literals parses a list such as ('a', 'b').
func (p *odataParser) literals() ([]literal, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var out []literal
	for {
		l, err := parseLiteral(p.next())
		if err != nil {
			return nil, err
		}
		out = append(out, l)
		if !p.take(",") {
			return out, p.expect(")")
		}
	}
}
