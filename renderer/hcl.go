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

// body writes attributes and blocks in the order of the method calls. The names of attributes and blocks always come from this package.
// Strings from users are written only as values or comments.
type body struct {
	*hclwrite.Body
}

func newBody(hclBody *hclwrite.Body) body {
	return body{hclBody}
}

// block adds a nested block and returns the body of the block.
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

// reference writes an attribute whose value is an expression such as module.machine.vm_uuid. If address is not a valid expression, it is
// written as a string. Terraform then rejects the string with an error that contains its position.
func (b body) reference(name, address string) {
	traversal, diagnostics := hclsyntax.ParseTraversalAbs([]byte(address), "", hcl.InitialPos)
	if diagnostics.HasErrors() {
		b.text(name, address)
		return
	}
	b.SetAttributeTraversal(name, traversal)
}

// expression writes an attribute whose value consists of tokens. If note is not empty, a comment follows on the same line.
func (b body) expression(name string, value hclwrite.Tokens, note string) {
	b.AppendUnstructuredTokens(assignment(name, value, note))
}

// entity writes an attribute whose value is the UUID of a Prism entity. The name of the entity follows as a comment.
func (b body) entity(name string, ref Ref) {
	b.expression(name, literal(cty.StringVal(ref.UUID)), ref.Name)
}

// literal converts a value to tokens. hclwrite escapes quotes, newlines, ${ and %{ in strings.
func literal(value cty.Value) hclwrite.Tokens {
	return hclwrite.TokensForValue(value)
}

// assignment returns the tokens of one line: name = value # note.
func assignment(name string, value hclwrite.Tokens, note string) hclwrite.Tokens {
	tokens := hclwrite.Tokens{
		{Type: hclsyntax.TokenIdent, Bytes: []byte(name)},
		{Type: hclsyntax.TokenEqual, Bytes: []byte{'='}},
	}
	return endLine(append(tokens, value...), note)
}

// endLine adds a newline. If note is not empty, it first adds note as a comment.
func endLine(tokens hclwrite.Tokens, note string) hclwrite.Tokens {
	if note == "" {
		return append(tokens, newline())
	}
	return append(tokens, &hclwrite.Token{Type: hclsyntax.TokenComment, Bytes: []byte("# " + printable(note) + "\n")})
}

// printable escapes the characters in a note that could end the comment or hide its text: newlines, control characters and bidirectional
// marks.
func printable(note string) string {
	quoted := strconv.Quote(note)
	return quoted[1 : len(quoted)-1]
}

// listTokens returns a list with one element per line. The comment after elements[i] is notes[i].
func listTokens(elements []hclwrite.Tokens, notes []string) hclwrite.Tokens {
	tokens := hclwrite.Tokens{{Type: hclsyntax.TokenOBrack, Bytes: []byte{'['}}, newline()}
	for i, element := range elements {
		tokens = append(tokens, element...)
		tokens = append(tokens, &hclwrite.Token{Type: hclsyntax.TokenComma, Bytes: []byte{','}})
		tokens = endLine(tokens, notes[i])
	}
	return append(tokens, &hclwrite.Token{Type: hclsyntax.TokenCBrack, Bytes: []byte{']'}})
}

// objectTokens returns an object with one assignment per line.
func objectTokens(assignments ...hclwrite.Tokens) hclwrite.Tokens {
	tokens := hclwrite.Tokens{{Type: hclsyntax.TokenOBrace, Bytes: []byte{'{'}}, newline()}
	for _, line := range assignments {
		tokens = append(tokens, line...)
	}
	return append(tokens, &hclwrite.Token{Type: hclsyntax.TokenCBrace, Bytes: []byte{'}'}})
}

// mapTokens returns a map with one entry per line, sorted by key. All keys are quoted, because an unquoted key "for" would start an
// expression.
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

// formatted returns the content of the file in Terraform's canonical format.
func formatted(file *hclwrite.File) []byte {
	return hclwrite.Format(file.Bytes())
}
