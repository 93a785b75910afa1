// Package text shortens messages for fields of limited length, and makes them safe to print. It imports nothing of the product.
package text

import (
	"strings"
	"unicode"
)

// mark is the end of a text that was shortened.
const mark = "..."

// Shorten returns s if it has at most limit bytes. Otherwise it returns the beginning of s and "...", together at most limit bytes. It cuts
// no character, and limit must be at least 3. The API server limits messages of conditions and events by bytes.
func Shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit-len(mark)], "") + mark
}

// Printable returns s as one line without control characters. It also replaces characters that are invisible or that change the direction of
// the text. Therefore values that others have written can neither add lines nor change what a terminal shows.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.NewReplacer("\r\n", `\n`, "\n", `\n`, "\t", `\t`).Replace(s))
}
