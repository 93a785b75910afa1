package text

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestShortenLimitsBytesAndCutsNoCharacter(t *testing.T) {
	for want, c := range map[string]struct {
		text  string
		limit int
	}{
		"":         {"", 8},
		"12345678": {"12345678", 8},
		"12345...": {"123456789", 8},
		"1234...":  {"1234ü6789", 8}, // the fifth character has two bytes
		"123ü...":  {"123ü56789", 8},
		"...":      {"12345678", 3},
	} {
		assert.Equal(t, want, Shorten(c.text, c.limit))
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"Größe 4 → 8":                   "Größe 4 → 8",
		"a\nb\r\nc\td":                  `a\nb\nc\td`,
		"\x1b[2K\rok":                   "\uFFFD[2K\uFFFDok",
		"\u009b2K":                      "\uFFFD2K",
		"\u202e8 >- 4\u2066":            "\uFFFD8 >- 4\uFFFD",
		"prod\u200b":                    "prod\uFFFD",
		string([]byte{'a', 0xff, 0xfe}): "a\uFFFD\uFFFD",
	} {
		assert.Equal(t, want, Printable(text))
	}
}
