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
