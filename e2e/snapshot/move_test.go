package snapshot

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/stack"
)

func TestMoveReplacesEncodedAddresses(t *testing.T) {
	network, err := stack.FreeNetwork()
	require.NoError(t, err)
	address, moved := "127.40.1.10", network.Move("127.40.1.10")
	require.NotEqual(t, address, moved)
	b64 := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	state := func(address string) string {
		return `{"serial":12345678901234567890,"user_data":"` + b64("#cloud-config\nserver: "+address+":6443") + `","text":"a<b"}`
	}
	compressed := func(text string) string { return base64.StdEncoding.EncodeToString(compress([]byte(text))) }
	move := mover{network}

	assert.Equal(t, moved, move.text(address))
	assert.Equal(t, b64("server: "+moved), move.text(b64("server: "+address)))
	assert.JSONEq(t, `{"a":[{"b":"`+moved+`"},1,null]}`, string(move.bytes([]byte(`{"a":[{"b":"`+address+`"},1,null]}`))))

	content, err := base64.StdEncoding.DecodeString(move.text(compressed(state(address))))
	require.NoError(t, err)
	plain, isCompressed := decompress(content)
	require.True(t, isCompressed)
	assert.JSONEq(t, state(moved), string(plain))
	assert.Contains(t, string(plain), "12345678901234567890", "a number keeps its digits")

	for _, same := range []string{"", "aGVsbG8=", b64(`{"no":"address"}`), compressed(state("10.0.0.1")), "not base64!"} {
		assert.Equal(t, same, move.text(same))
	}
	value := map[string]any{"a": []any{address, json.Number("1"), nil}}
	assert.Equal(t, map[string]any{"a": []any{moved, json.Number("1"), nil}}, move.value(value))
}
