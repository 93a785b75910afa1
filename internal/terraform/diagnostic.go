package terraform

import (
	"regexp"
	"strings"
)

// messageLimit is the maximum length of an error's message, in runes. The limit exists because conditions and events contain
// messages.
const messageLimit = 800

var (
	// colour matches the escape sequences of colours on a terminal.
	colour = regexp.MustCompile("\x1b\\[[0-9;]*m")
	// frame matches the box that Terraform draws around a diagnostic on a terminal.
	frame = regexp.MustCompile(`(?m)^[ \t]*[╷│╵][ \t]?`)
	// snippet matches a quoted line of configuration and the marks below it.
	snippet = regexp.MustCompile(`(?m)^\s+(\d+:|├─*|│|└─*).*$`)
	// start matches the beginning of a diagnostic.
	start = regexp.MustCompile(`(?m)^(Error|Warning): `)
	// trace matches the start of the stack trace that Terraform prints when a provider crashed.
	trace = regexp.MustCompile(`(?m)^Stack trace from `)
	// address matches the line that names the object of a diagnostic: a resource instance, or provider["..."].
	address = regexp.MustCompile(`(?m)^\s+with (\S.*),$`)
)

// diagnostic is one error that a command reported.
type diagnostic struct {
	// summary is the first paragraph, on one line.
	summary string
	// address is the object that the error belongs to: a resource instance, or provider["..."]. It is empty for errors
	// of the backend and for most errors of Terraform itself.
	address string
	// text is the whole error on one line, without quoted configuration.
	text string
}

// plainText removes colours and frames.
func plainText(output string) string {
	return frame.ReplaceAllString(colour.ReplaceAllString(output, ""), "")
}

// collapse joins the lines of a wrapped text to one line.
func collapse(text string) string { return strings.Join(strings.Fields(text), " ") }

// parseDiagnostics returns the errors that a command reported, without its warnings.
func parseDiagnostics(plain string) []diagnostic {
	if at := trace.FindStringIndex(plain); at != nil {
		plain = plain[:at[0]]
	}
	var diagnostics []diagnostic
	starts := start.FindAllStringIndex(plain, -1)
	for i, at := range starts {
		end := len(plain)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		if strings.HasPrefix(plain[at[0]:], "Error: ") {
			diagnostics = append(diagnostics, parseDiagnostic(plain[at[1]:end]))
		}
	}
	return diagnostics
}

// parseDiagnostic parses one error without its "Error: ". The text consists of summary and detail, joined by a colon.
func parseDiagnostic(block string) diagnostic {
	summary, detail, _ := strings.Cut(block, "\n\n")
	parsed := diagnostic{summary: collapse(summary)}
	if match := address.FindStringSubmatch(detail); match != nil {
		parsed.address = match[1]
	}
	parsed.text = parsed.summary
	if detail = collapse(snippet.ReplaceAllString(detail, "")); detail != "" {
		parsed.text = strings.TrimRight(parsed.summary, ":.") + ": " + detail
	}
	return parsed
}

// bounded truncates a message to messageLimit.
func bounded(message string) string {
	runes := []rune(message)
	if len(runes) <= messageLimit {
		return message
	}
	return string(runes[:messageLimit]) + " ..."
}

// outputLimit is the maximum length of error output that is parsed, in bytes. A crash prints the stacks of all goroutines.
const outputLimit = 16 << 10

// shortened keeps the beginning and the end of a long output.
func shortened(output string) string {
	if len(output) <= outputLimit {
		return output
	}
	return output[:outputLimit/2] + "\n" + output[len(output)-outputLimit/2:]
}
