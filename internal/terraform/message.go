package terraform

import (
	"regexp"
	"strings"
)

// messageLimit bounds an error's message, in runes: it goes into conditions and events.
const messageLimit = 800

var (
	colours = regexp.MustCompile("\x1b\\[[0-9;]*m")
	// frame is the box that Terraform draws around a diagnostic on a terminal.
	frame = regexp.MustCompile(`(?m)^[ \t]*[╷│╵][ \t]?`)
	// snippet is a quoted line of configuration, and the marks under it.
	snippet = regexp.MustCompile(`(?m)^\s+(\d+:|├─*|│|└─*).*$`)
	start   = regexp.MustCompile(`(?m)^(Error|Warning): `)
	// trace begins what Terraform prints after the errors when a provider crashed.
	trace = regexp.MustCompile(`(?m)^Stack trace from `)
)

// plainText removes colours and frames.
func plainText(output string) string {
	return frame.ReplaceAllString(colours.ReplaceAllString(output, ""), "")
}

// collapse puts a text on one line, undoing the wrapping at the width of a terminal.
func collapse(text string) string { return strings.Join(strings.Fields(text), " ") }

// errorBlocks returns the errors that a command reported, each on one line without "Error: ".
func errorBlocks(plain string) []string {
	if at := trace.FindStringIndex(plain); at != nil {
		plain = plain[:at[0]]
	}
	var blocks []string
	starts := start.FindAllStringIndex(plain, -1)
	for i, at := range starts {
		end := len(plain)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		if !strings.HasPrefix(plain[at[0]:], "Error: ") {
			continue
		}
		blocks = append(blocks, oneLine(plain[at[1]:end]))
	}
	return blocks
}

// oneLine joins summary and detail of a diagnostic with a colon and leaves out quoted configuration.
func oneLine(block string) string {
	summary, detail, _ := strings.Cut(block, "\n\n")
	summary, detail = collapse(summary), collapse(snippet.ReplaceAllString(detail, ""))
	if detail == "" {
		return summary
	}
	return strings.TrimRight(summary, ":.") + ": " + detail
}

// bounded cuts a message to the limit.
func bounded(message string) string {
	runes := []rune(message)
	if len(runes) <= messageLimit {
		return message
	}
	return string(runes[:messageLimit]) + " ..."
}

// outputLimit bounds what is read of a command's error output, in bytes: a crash prints the stacks of everything.
const outputLimit = 16 << 10

// shortened keeps the beginning of a long output and its end.
func shortened(output string) string {
	if len(output) <= outputLimit {
		return output
	}
	return output[:outputLimit/2] + "\n" + output[len(output)-outputLimit/2:]
}
