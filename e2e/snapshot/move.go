package snapshot

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"

	"github.com/capnt/capnt/e2e/stack"
)

// mover replaces addresses of the sample network with addresses of another network. It also replaces addresses in
// encoded data: Secrets are base64-encoded, Terraform states are compressed, and both may contain base64-encoded user
// data.
type mover struct{ network stack.Network }

// value replaces the addresses in all strings of a JSON value.
func (m mover) value(value any) any {
	switch value := value.(type) {
	case string:
		return m.text(value)
	case []any:
		for i := range value {
			value[i] = m.value(value[i])
		}
	case map[string]any:
		for key := range value {
			value[key] = m.value(value[key])
		}
	}
	return value
}

func (m mover) text(text string) string {
	if decoded, err := base64.StdEncoding.DecodeString(text); err == nil && len(decoded) > 0 {
		if moved := m.bytes(decoded); !bytes.Equal(moved, decoded) {
			return base64.StdEncoding.EncodeToString(moved)
		}
	}
	return m.network.Move(text)
}

// bytes replaces the addresses in content, which may be compressed or JSON. If content contains no addresses, bytes
// returns it unchanged.
func (m mover) bytes(content []byte) []byte {
	if plain, compressed := decompress(content); compressed {
		if moved := m.bytes(plain); !bytes.Equal(moved, plain) {
			return compress(moved)
		}
		return content
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil || decoder.More() {
		return []byte(m.network.Move(string(content)))
	}
	before := encode(value)
	if after := encode(m.value(value)); !bytes.Equal(before, after) {
		return after
	}
	return content
}

func decompress(content []byte) ([]byte, bool) {
	reader, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, false
	}
	plain, err := io.ReadAll(reader)
	return plain, err == nil
}

func compress(content []byte) []byte {
	var buffer bytes.Buffer
	writer := gzip.NewWriter(&buffer)
	_, _ = writer.Write(content) // writes to a buffer cannot fail
	_ = writer.Close()
	return buffer.Bytes()
}

func encode(value any) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(value) // the value was decoded from JSON
	return buffer.Bytes()
}
