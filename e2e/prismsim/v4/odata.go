package v4

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// condition reports whether a list contains the object of a scope.
type condition func(scope) bool

// scope resolves the names in an expression. Names are properties of root or, inside any(x:...), of the variable x.
type scope struct {
	root     Object
	variable string
	value    any
}

// lookup returns the value of a property path in the format of the expression, for example "cluster/extId", or
// "c/extId" inside any(c:...).
func (s scope) lookup(path string) any {
	names := strings.Split(path, "/")
	if s.variable != "" && names[0] == s.variable {
		return field(s.value, names[1:])
	}
	return field(s.root, names)
}

// odataParser parses the part of OData 4.01 $filter that Prism Central documents: eq, ne, gt, ge, lt, le, in, and, or,
// not, parentheses, startswith, endswith, contains, and any/all for lists. Only some fields support filtering.
type odataParser struct {
	tokens []string
	fields []string
	// variable and collection belong to the lambda expression that is being parsed.
	variable, collection string
}

var odataToken = regexp.MustCompile(`^\s*('(?:[^']|'')*'|[A-Za-z_][A-Za-z0-9_.]*'(?:[^']|'')*'|[A-Za-z_][A-Za-z0-9_./]*|-?[0-9][0-9A-Za-z:.+-]*|[(),:])`)

// parseOData parses a $filter. fields are the property paths that support filtering, including paths into lists
// ("categories/extId").
func parseOData(text string, fields []string) (condition, error) {
	p := &odataParser{fields: fields}
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		token := odataToken.FindStringSubmatch(rest)
		if token == nil {
			return nil, fmt.Errorf("unexpected %q", rest)
		}
		p.tokens = append(p.tokens, token[1])
		rest = rest[len(token[0]):]
	}
	result, err := p.or()
	if err != nil {
		return nil, err
	}
	if len(p.tokens) > 0 {
		return nil, fmt.Errorf("unexpected %q", p.tokens[0])
	}
	return result, nil
}

func (p *odataParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *odataParser) next() string {
	token := p.peek()
	if token != "" {
		p.tokens = p.tokens[1:]
	}
	return token
}

func (p *odataParser) take(token string) bool {
	if p.peek() != token {
		return false
	}
	p.next()
	return true
}

func (p *odataParser) expect(token string) error {
	if !p.take(token) {
		return fmt.Errorf("%q expected before %q", token, p.peek())
	}
	return nil
}

func (p *odataParser) or() (condition, error) { return p.joined(p.and, "or", true) }

func (p *odataParser) and() (condition, error) { return p.joined(p.not, "and", false) }

// joined parses operands that are joined by operator. The evaluation ends at the first operand whose result is
// decisive.
func (p *odataParser) joined(operand func() (condition, error), operator string, decisive bool) (condition, error) {
	var operands []condition
	for {
		c, err := operand()
		if err != nil {
			return nil, err
		}
		operands = append(operands, c)
		if !p.take(operator) {
			break
		}
	}
	return func(s scope) bool {
		for _, c := range operands {
			if c(s) == decisive {
				return decisive
			}
		}
		return !decisive
	}, nil
}

func (p *odataParser) not() (condition, error) {
	if !p.take("not") {
		return p.primary()
	}
	inner, err := p.not()
	if err != nil {
		return nil, err
	}
	return func(s scope) bool { return !inner(s) }, nil
}

var odataFunctions = map[string]func(value, part string) bool{
	"startswith": strings.HasPrefix, "endswith": strings.HasSuffix, "contains": strings.Contains,
}

func (p *odataParser) primary() (condition, error) {
	name := p.next()
	switch {
	case name == "(":
		inner, err := p.or()
		if err != nil {
			return nil, err
		}
		return inner, p.expect(")")
	case odataFunctions[name] != nil && p.peek() == "(":
		return p.function(odataFunctions[name])
	case strings.HasSuffix(name, "/any") && p.peek() == "(":
		return p.lambda(strings.TrimSuffix(name, "/any"), true)
	case strings.HasSuffix(name, "/all") && p.peek() == "(":
		return p.lambda(strings.TrimSuffix(name, "/all"), false)
	}
	if err := p.check(name); err != nil {
		return nil, err
	}
	return p.comparison(name)
}

func (p *odataParser) function(holds func(value, part string) bool) (condition, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	path := p.next()
	if err := p.check(path); err != nil {
		return nil, err
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	part, err := parseLiteral(p.next())
	if err != nil {
		return nil, err
	}
	return func(s scope) bool {
		text, isText := s.lookup(path).(string)
		return isText && holds(text, part.text)
	}, p.expect(")")
}

// lambda parses any(c:...) or all(c:...) after the path of a list.
func (p *odataParser) lambda(path string, wanted bool) (condition, error) {
	p.next() // the parenthesis
	if p.variable != "" {
		return nil, fmt.Errorf("any and all inside any and all are not supported")
	}
	p.variable, p.collection = p.next(), path
	defer func() { p.variable, p.collection = "", "" }()
	if err := p.expect(":"); err != nil {
		return nil, err
	}
	inner, err := p.or()
	if err != nil {
		return nil, err
	}
	variable := p.variable
	return func(s scope) bool {
		for _, item := range elements(s.lookup(path)) {
			if inner(scope{root: s.root, variable: variable, value: item}) == wanted {
				return wanted
			}
		}
		return !wanted
	}, p.expect(")")
}

// check returns an error if a path is invalid or does not support filtering.
func (p *odataParser) check(path string) error {
	full := path
	if first, rest, more := strings.Cut(path, "/"); p.variable != "" && first == p.variable {
		full = p.collection
		if more {
			full += "/" + rest
		}
	}
	if !slices.Contains(p.fields, full) {
		return fmt.Errorf("%q is not a property to filter by", full)
	}
	return nil
}
