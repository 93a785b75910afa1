package terraform

import (
	"regexp"
	"strings"
)

// messageLimit is the maximum length of the message of an error, in bytes. Messages are limited because they are written to conditions
// and events.
const messageLimit = 800

var (
	// colour matches the escape sequences for colors in terminal output.
	colour = regexp.MustCompile("\x1b\\[[0-9;]*m")
	// frame matches the frame that Terraform draws around a diagnostic in terminal output.
	frame = regexp.MustCompile(`(?m)^[ \t]*[╷│╵][ \t]?`)
	// snippet matches a quoted line of the configuration, and a line that points to a part of it.
	snippet = regexp.MustCompile(`(?m)^\s+(\d+:|├─*|│|└─*).*$`)
	// start matches the beginning of a diagnostic.
	start = regexp.MustCompile(`(?m)^(Error|Warning): `)
	// trace matches the beginning of the stack trace that Terraform prints after a provider has crashed.
	trace = regexp.MustCompile(`(?m)^Stack trace from `)
	// address matches the line with the address of the object that a diagnostic is about. The object is a resource instance or
	// provider["..."].
	address = regexp.MustCompile(`(?m)^\s+with (\S.*),$`)
)

// diagnostic is one error in the output of a command.
type diagnostic struct {
	// summary is the first paragraph of the error, joined to one line.
	summary string
	// address is the address of the object that the error is about: a resource instance or provider["..."]. It is empty for errors of the
	// backend and for most errors of Terraform itself.
	address string
	// text is the whole error, joined to one line and without quoted configuration.
	text string
}

// plainText returns output without colors and frames.
func plainText(output string) string {
	return frame.ReplaceAllString(colour.ReplaceAllString(output, ""), "")
}

// collapse joins all lines of text with single spaces.
func collapse(text string) string { return strings.Join(strings.Fields(text), " ") }

// parseDiagnostics returns the errors in the output of a command. It ignores warnings.
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

// parseDiagnostic parses one error. block does not contain the leading "Error: ". The text of the result is the summary and the detail,
// separated by a colon.
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

// outputLimit is the maximum number of bytes of error output that are parsed. The output of a crash is long, because it contains the
// stacks of all goroutines.
const outputLimit = 16 << 10

// shortened returns the beginning and the end of a long output.
func shortened(output string) string {
	if len(output) <= outputLimit {
		return output
	}
	return output[:outputLimit/2] + "\n" + output[len(output)-outputLimit/2:]
}
