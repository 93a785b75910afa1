package scenario

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// containsSecret reports whether text contains the secret: in plain text, within a base64-encoded string such as user data or a basic auth
// header, or in the compressed content of a base64-encoded string.
func containsSecret(text, secret string) bool {
	if containsForm(text, secret) {
		return true
	}
	return slices.ContainsFunc(unpacked(text), func(content string) bool { return containsForm(content, secret) })
}

func containsForm(text, secret string) bool {
	return slices.ContainsFunc(append(encodings(secret), secret), func(form string) bool { return strings.Contains(text, form) })
}

// encodings returns the base64 encodings of a secret that is part of a longer string. There are three encodings,
// because the encoding depends on the number of preceding bytes modulo 3. The first and last characters are left out if
// they also encode adjacent bytes.
func encodings(secret string) []string {
	var found []string
	for before, shared := range []int{0, 2, 3} {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + secret))
		whole := len(encoded)
		if (before+len(secret))%3 != 0 {
			whole--
		}
		found = append(found, encoded[shared:whole])
	}
	return found
}

// base64Run matches strings that may be the base64 encoding of compressed content.
var base64Run = regexp.MustCompile(`[A-Za-z0-9+/]{32,}`)

// unpacked returns the content of all gzip streams that are base64-encoded in text. A stream may be only a part of what is encoded.
func unpacked(text string) []string {
	var found []string
	for _, run := range base64Run.FindAllString(text, -1) {
		for skip := range 4 {
			part := run[skip:]
			decoded, err := base64.RawStdEncoding.DecodeString(part[:len(part)/4*4])
			if err != nil {
				continue
			}
			if content := inflated(decoded); content != "" {
				found = append(found, content)
			}
		}
	}
	return found
}

// inflated returns the content of the first gzip stream in data, as far as it can be read, or an empty string.
func inflated(data []byte) string {
	start := bytes.Index(data, []byte{0x1f, 0x8b, 8})
	if start < 0 {
		return ""
	}
	reader, err := gzip.NewReader(bytes.NewReader(data[start:]))
	if err != nil {
		return ""
	}
	content, _ := io.ReadAll(reader) // the end of the stream may be missing
	return string(content)
}

// packed returns the gzip stream of text.
func packed(t *testing.T, text string) []byte {
	t.Helper()
	var stream bytes.Buffer
	writer := gzip.NewWriter(&stream)
	_, err := writer.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	return stream.Bytes()
}

func TestContainsSecret_InBase64(t *testing.T) {
	for _, around := range []string{"", "a", "ab", "admin:", "Authorization"} {
		for _, after := range []string{"", "\n", "\n-----", "z\n-"} {
			text := base64.StdEncoding.EncodeToString([]byte(around + password + after))
			assert.True(t, containsSecret("user_data = "+text, password), text)
			assert.False(t, containsSecret(text, "another-secret"), text)
		}
	}
	assert.True(t, containsSecret("it is "+password, password))
}

func TestContainsSecret_InCompressedBase64(t *testing.T) {
	for _, around := range []string{"", "a", "ab", "abc"} {
		stream := packed(t, "password: "+base64.StdEncoding.EncodeToString([]byte(around+password))+"\n")
		text := base64.StdEncoding.EncodeToString(append([]byte(around), stream...))
		assert.True(t, containsSecret(`{"user_data":"`+text+`"}`, password), text)
		assert.False(t, containsSecret(text, "another-secret"), text)
	}
}
