package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/validation"
)

// schemaFile describes the attributes of provider 2.4.2, and how its requests and its state use them. An attribute is a list of words: its
// type and properties. A block is an object, whose own words have the key "", or a list of words that name one of the definitions.
//
//   - sent-empty: requests contain an empty string, too. They omit other empty strings.
//   - omit-zero: requests omit the number zero.
//   - not-sent: no request contains the attribute. This is always so for attributes that are only computed.
//   - not-read: the state never contains what Prism Central returns.
//   - crash-empty: the provider crashes if the value is missing.
//   - typed: requests contain the type of the object ($objectType).
//
//go:embed schema.json
var schemaFile []byte

// A block contains attributes by name.
type block map[string]*attribute

// An attribute is an attribute or a nested block.
type attribute struct {
	kind   string // string, int, bool, list, set or map
	of     string // kind of the elements of a list, set or map of primitive values
	nested block  // attributes of the elements of other lists and sets

	optional, computed, required, sensitive, deprecated, forceNew bool
	sentEmpty, omitZero, notSent, notRead, crashEmpty, typed      bool

	min, max     int
	defaultValue string
	env          string // environment variable that replaces the default
	definition   string
	oneOf        []string
}

// schemas are the schemas of the provider and of its resources by name.
var schemas = mustParse(schemaFile)

func mustParse(content []byte) map[string]block {
	var all, definitions map[string]json.RawMessage
	must(json.Unmarshal(content, &all))
	must(json.Unmarshal(all["definitions"], &definitions))
	delete(all, "definitions")
	parsed := map[string]block{}
	for name, raw := range all {
		_, parsed[name] = parseBlock(raw, definitions)
	}
	return parsed
}

func must(err error) {
	if err != nil {
		panic(fmt.Errorf("parsing schema.json: %w", err))
	}
}

// parseBlock returns the words and the attributes of a block.
func parseBlock(raw json.RawMessage, definitions map[string]json.RawMessage) (string, block) {
	var entries map[string]json.RawMessage
	must(json.Unmarshal(raw, &entries))
	words, attributes := "", block{}
	for name, entry := range entries {
		var text string
		if json.Unmarshal(entry, &text) != nil {
			own, nested := parseBlock(entry, definitions)
			attributes[name] = parseWords(own)
			attributes[name].nested = nested
			continue
		}
		if name == "" {
			words = text
			continue
		}
		attributes[name] = parseWords(text)
		if definition := attributes[name].definition; definition != "" {
			_, attributes[name].nested = parseBlock(definitions[definition], definitions)
		}
	}
	return words, attributes
}

func parseWords(words string) *attribute {
	a := &attribute{}
	flags := map[string]*bool{
		"optional": &a.optional, "computed": &a.computed, "required": &a.required, "sensitive": &a.sensitive, "deprecated": &a.deprecated,
		"force-new": &a.forceNew, "sent-empty": &a.sentEmpty, "omit-zero": &a.omitZero, "not-sent": &a.notSent, "not-read": &a.notRead,
		"crash-empty": &a.crashEmpty, "typed": &a.typed,
	}
	texts := map[string]*string{"of": &a.of, "default": &a.defaultValue, "env": &a.env, "block": &a.definition}
	numbers := map[string]*int{"min": &a.min, "max": &a.max}
	list := strings.Fields(words)
	a.kind = list[0]
	for _, word := range list[1:] {
		name, value, _ := strings.Cut(word, "=")
		switch {
		case flags[name] != nil:
			*flags[name] = true
		case texts[name] != nil:
			*texts[name] = value
		case numbers[name] != nil:
			number, err := strconv.Atoi(value)
			must(err)
			*numbers[name] = number
		case name == "one-of":
			a.oneOf = strings.Split(value, "|")
		default:
			must(fmt.Errorf("unknown word %q", word))
		}
	}
	return a
}

// schema returns the schema of a block for the SDK.
func (b block) schema() map[string]*schema.Schema {
	out := map[string]*schema.Schema{}
	for name, a := range b {
		out[name] = a.schema(name)
	}
	return out
}

var kinds = map[string]schema.ValueType{
	"string": schema.TypeString, "int": schema.TypeInt, "bool": schema.TypeBool,
	"list": schema.TypeList, "set": schema.TypeSet, "map": schema.TypeMap,
}

func (a *attribute) schema(name string) *schema.Schema {
	s := &schema.Schema{
		Type: kinds[a.kind], Optional: a.optional, Computed: a.computed, Required: a.required, Sensitive: a.sensitive,
		ForceNew: a.forceNew, MaxItems: a.max,
	}
	if a.deprecated {
		s.Deprecated = fmt.Sprintf("The `%s` attribute is deprecated. Use `nic_%s` instead.", name, name)
	}
	switch {
	case a.nested != nil:
		s.Elem = &schema.Resource{Schema: a.nested.schema()}
	case a.of != "":
		s.Elem = &schema.Schema{Type: kinds[a.of], ValidateFunc: a.validation()}
	default:
		s.ValidateFunc = a.validation()
	}
	if a.env != "" {
		s.DefaultFunc = schema.EnvDefaultFunc(a.env, a.defaults())
	} else {
		s.Default = a.defaults()
	}
	return s
}

func (a *attribute) validation() schema.SchemaValidateFunc {
	switch {
	case a.oneOf != nil:
		return validation.StringInSlice(a.oneOf, false)
	case a.min > 0:
		return validation.IntAtLeast(a.min)
	}
	return nil
}

// defaults returns the default value, or nil.
func (a *attribute) defaults() any {
	if a.defaultValue == "" {
		return nil
	}
	switch a.kind {
	case "int":
		number, err := strconv.Atoi(a.defaultValue)
		must(err)
		return number
	case "bool":
		return a.defaultValue == "true"
	}
	return a.defaultValue
}

// sent reports whether requests contain the attribute.
func (a *attribute) sent() bool { return !a.notSent && (a.optional || a.required) }

// empty returns the value of the attribute in the state if Prism Central returns none.
func (a *attribute) empty() any {
	if slices.Contains([]string{"list", "set"}, a.kind) {
		return []any(nil)
	}
	return nil
}
