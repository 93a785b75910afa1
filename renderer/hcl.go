package renderer

import (
	"maps"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// body writes attributes and blocks in the order of the calls. This package defines their names. Strings from users are only
// written as values or comments.
type body struct {
	*hclwrite.Body
}

func newBody(hclBody *hclwrite.Body) body {
	return body{hclBody}
}

// block appends a nested block and returns its body.
func (b body) block(name string, labels ...string) body {
	return body{b.AppendNewBlock(name, labels).Body()}
}

func (b body) text(name, value string) {
	b.SetAttributeValue(name, cty.StringVal(value))
}

func (b body) number(name string, value int64) {
	b.SetAttributeValue(name, cty.NumberIntVal(value))
}

func (b body) flag(name string, value bool) {
	b.SetAttributeValue(name, cty.BoolVal(value))
}

// reference writes an expression such as module.machine.vm_uuid. An address that is not a valid expression is written as a string,
// which Terraform then rejects with its position.
func (b body) reference(name, address string) {
	traversal, diagnostics := hclsyntax.ParseTraversalAbs([]byte(address), "", hcl.InitialPos)
	if diagnostics.HasErrors() {
		b.text(name, address)
		return
	}
	b.SetAttributeTraversal(name, traversal)
}

// expression writes an attribute from tokens, with an optional comment after it.
func (b body) expression(name string, value hclwrite.Tokens, note string) {
	b.AppendUnstructuredTokens(assignment(name, value, note))
}

// entity writes the UUID of an entity in Prism, with its name as a comment.
func (b body) entity(name string, ref Ref) {
	b.expression(name, literal(cty.StringVal(ref.UUID)), ref.Name)
}

// literal converts every value to tokens. hclwrite escapes quotes, newlines, ${ and %{.
func literal(value cty.Value) hclwrite.Tokens {
	return hclwrite.TokensForValue(value)
}

// assignment returns one line: name = value # note.
func assignment(name string, value hclwrite.Tokens, note string) hclwrite.Tokens {
	tokens := hclwrite.Tokens{
		{Type: hclsyntax.TokenIdent, Bytes: []byte(name)},
		{Type: hclsyntax.TokenEqual, Bytes: []byte{'='}},
	}
	return endLine(append(tokens, value...), note)
}

// endLine ends a line, with the note as a comment if there is one.
func endLine(tokens hclwrite.Tokens, note string) hclwrite.Tokens {
	if note == "" {
		return append(tokens, newline())
	}
	return append(tokens, &hclwrite.Token{Type: hclsyntax.TokenComment, Bytes: []byte("# " + printable(note) + "\n")})
}

// printable escapes characters that could end a comment or hide its text: newlines, control characters, bidirectional marks.
func printable(note string) string {
	quoted := strconv.Quote(note)
	return quoted[1 : len(quoted)-1]
}

// listTokens writes one element per line, each with the note of the same index.
func listTokens(elements []hclwrite.Tokens, notes []string) hclwrite.Tokens {
	tokens := hclwrite.Tokens{{Type: hclsyntax.TokenOBrack, Bytes: []byte{'['}}, newline()}
	for i, element := range elements {
		tokens = append(tokens, element...)
		tokens = append(tokens, &hclwrite.Token{Type: hclsyntax.TokenComma, Bytes: []byte{','}})
		tokens = endLine(tokens, notes[i])
	}
	return append(tokens, &hclwrite.Token{Type: hclsyntax.TokenCBrack, Bytes: []byte{']'}})
}

// objectTokens writes one assignment per line.
func objectTokens(assignments ...hclwrite.Tokens) hclwrite.Tokens {
	tokens := hclwrite.Tokens{{Type: hclsyntax.TokenOBrace, Bytes: []byte{'{'}}, newline()}
	for _, line := range assignments {
		tokens = append(tokens, line...)
	}
	return append(tokens, &hclwrite.Token{Type: hclsyntax.TokenCBrace, Bytes: []byte{'}'}})
}

// mapTokens writes one entry per line in the order of the keys. Keys are always quoted, because an unquoted key "for" would
// start an expression.
func mapTokens(values map[string]string) hclwrite.Tokens {
	var lines []hclwrite.Tokens
	for _, key := range slices.Sorted(maps.Keys(values)) {
		line := append(literal(cty.StringVal(key)), &hclwrite.Token{Type: hclsyntax.TokenEqual, Bytes: []byte{'='}})
		line = append(line, literal(cty.StringVal(values[key]))...)
		lines = append(lines, endLine(line, ""))
	}
	return objectTokens(lines...)
}

func newline() *hclwrite.Token {
	return &hclwrite.Token{Type: hclsyntax.TokenNewline, Bytes: []byte{'\n'}}
}

// formatted returns the file in canonical layout.
func formatted(file *hclwrite.File) []byte {
	return hclwrite.Format(file.Bytes())
}
