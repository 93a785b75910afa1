// Package text shortens messages for fields of limited length. It imports nothing of the product.
package text

import "strings"

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
