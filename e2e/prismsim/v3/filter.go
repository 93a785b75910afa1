package v3

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// attributes returns the values of the attribute with a FIQL name. It returns false if the name is unknown.
type attributes func(name string) (values []string, ok bool)

// filter reports whether a list contains the entity with the attributes.
type filter func(attributes) (bool, error)

// parseFilter parses a FIQL expression: comparisons (name==x, num_vcpus=ge=4), joined by ; (and) and , (or), and
// grouped by parentheses. The values of == and != are regular expressions that must match the whole string, as in
// Prism.
func parseFilter(text string) (filter, error) {
	if strings.TrimSpace(text) == "" {
		return func(attributes) (bool, error) { return true, nil }, nil
	}
	p := &filterParser{rest: text}
	f, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.rest != "" {
		return nil, fmt.Errorf("unexpected %q", p.rest)
	}
	return f, nil
}

type filterParser struct{ rest string }

func (p *filterParser) take(token string) bool {
	trimmed := strings.TrimLeft(p.rest, " ")
	if !strings.HasPrefix(trimmed, token) {
		return false
	}
	p.rest = trimmed[len(token):]
	return true
}

func (p *filterParser) or() (filter, error) {
	return p.joined(p.and, ",", true)
}

func (p *filterParser) and() (filter, error) {
	return p.joined(p.term, ";", false)
}

// joined parses operands that are joined by separator. The evaluation ends at the first operand whose result is
// decisive.
func (p *filterParser) joined(operand func() (filter, error), separator string, decisive bool) (filter, error) {
	var operands []filter
	for {
		f, err := operand()
		if err != nil {
			return nil, err
		}
		operands = append(operands, f)
		if !p.take(separator) {
			break
		}
	}
	return func(a attributes) (bool, error) {
		for _, f := range operands {
			if result, err := f(a); err != nil || result == decisive {
				return result, err
			}
		}
		return !decisive, nil
	}, nil
}

func (p *filterParser) term() (filter, error) {
	if !p.take("(") {
		return p.comparison()
	}
	inner, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, fmt.Errorf("missing ) before %q", p.rest)
	}
	return inner, nil
}

// comparisonPattern matches the name and the operator of a comparison.
var comparisonPattern = regexp.MustCompile(`^\s*([A-Za-z_][A-Za-z0-9_.]*)\s*(==|!=|=(?:gt|ge|lt|le|in|out)=)\s*`)

func (p *filterParser) comparison() (filter, error) {
	match := comparisonPattern.FindStringSubmatch(p.rest)
	if match == nil {
		return nil, fmt.Errorf("%q is not a comparison such as name==value", p.rest)
	}
	p.rest = p.rest[len(match[0]):]
	value := p.value()
	name, operator := match[1], match[2]
	compare, err := comparator(operator, value)
	if err != nil {
		return nil, err
	}
	return func(a attributes) (bool, error) {
		values, known := a(name)
		if !known {
			return false, fmt.Errorf("unknown attribute %q", name)
		}
		return compare(values), nil
	}, nil
}

func (p *filterParser) value() string {
	depth := 0
	end := len(p.rest)
	for i, c := range p.rest {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth < 0 || (depth == 0 && (c == ';' || c == ',')) {
			end = i
			break
		}
	}
	value := p.rest[:end]
	p.rest = p.rest[end:]
	return strings.Trim(strings.TrimSpace(value), `"'`)
}

func comparator(operator, value string) (func([]string) bool, error) {
	switch operator {
	case "==", "!=":
		pattern, err := regexp.Compile("^(?:" + value + ")$")
		if err != nil {
			pattern = regexp.MustCompile("^" + regexp.QuoteMeta(value) + "$")
		}
		wanted := operator == "=="
		return func(values []string) bool {
			for _, v := range values {
				if v == value || pattern.MatchString(v) {
					return wanted
				}
			}
			return !wanted
		}, nil
	case "=in=", "=out=":
		list := strings.Split(strings.Trim(value, "()"), ",")
		wanted := operator == "=in="
		return func(values []string) bool {
			for _, v := range values {
				for _, item := range list {
					if v == strings.Trim(strings.TrimSpace(item), `"'`) {
						return wanted
					}
				}
			}
			return !wanted
		}, nil
	}
	limit, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return nil, fmt.Errorf("%s needs a number, not %q", operator, value)
	}
	return func(values []string) bool {
		for _, v := range values {
			if n, err := strconv.ParseFloat(v, 64); err == nil && ordered(operator, n, limit) {
				return true
			}
		}
		return false
	}, nil
}

func ordered(operator string, a, b float64) bool {
	switch operator {
	case "=gt=":
		return a > b
	case "=ge=":
		return a >= b
	case "=lt=":
		return a < b
	}
	return a <= b
}
