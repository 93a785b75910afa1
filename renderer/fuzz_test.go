package renderer_test

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"golang.org/x/text/unicode/norm"

	"github.com/capnt/capnt/renderer"
)

// plain converts a cty value to a Go value. It supports strings, lists and objects.
func plain(value cty.Value) any {
	switch {
	case value.Type() == cty.String:
		return value.AsString()
	case value.Type().IsTupleType():
		var list []any
		for _, element := range value.AsValueSlice() {
			list = append(list, plain(element))
		}
		return list
	case value.Type().IsObjectType():
		object := map[string]any{}
		for key, element := range value.AsValueMap() {
			object[key] = plain(element)
		}
		return object
	default:
		return value.GoString()
	}
}

// writable reports whether Terraform keeps all of these strings unchanged.
func writable(values ...string) bool {
	for _, value := range values {
		if !utf8.ValidString(value) || !norm.NFC.IsNormalString(value) {
			return false
		}
	}
	return true
}

// seeds contains strings that have a meaning in HCL.
var seeds = []string{
	specialCharacters, "x", "", "${x}", "$${x}", "$$${x}", "%{ for a in b }", "%%{x}", "$", "%", "$$", "\"", "\\", "\\\"", "\n}", "\r", "\r\n", "\x00",
	"/*", "*/", "#", "//", "<<EOT\nEOT", "for", "null", "true", "1", "日本語", "é", "e\u0301", "\u2028", "\u2029", "\ufeff", "\xff", "\U0001f680",
	"a = b", "\"\nresource \"null_resource\" \"x\" {}\n", "`", "'", "~}", "${~ x ~}", "\\u0041", "\\${x}",
}

// FuzzRenderMachine proves that no string is interpreted as HCL: the configuration has the same structure as with harmless
// strings, and its literals evaluate to the input strings.
func FuzzRenderMachine(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed, seed, seed, seed, seed)
		f.Add("name", "description", "key", "value", seed)
		f.Add("name", "description", seed, "value", "note")
	}
	harmless := fuzzedMachine("name", "description", "key", "value", "note")
	workspace, err := renderer.RenderMachine(settings(), harmless)
	require.NoError(f, err)
	expected := skeleton(f, workspace.Files["main.tf"])

	f.Fuzz(func(t *testing.T, name, description, key, value, note string) {
		workspace, err := renderer.RenderMachine(settings(), fuzzedMachine(name, description, key, value, note))
		if name == "" || key == "" || value == "" || !writable(name, description, key, value) {
			require.ErrorIs(t, err, renderer.ErrInvalidInput)
			return
		}
		require.NoError(t, err)
		content := workspace.Files["main.tf"]
		if note != "" {
			assert.Equal(t, expected, skeleton(t, content))
		}
		values := moduleValues(t, content)
		assert.Equal(t, name, values["name"])
		assert.Equal(t, description, values["description"])
		assert.Equal(t, map[string]any{key: value}, values["categories"])
		assert.Equal(t, []any{subnetUUID}, values["subnet_uuids"])
		assert.NotContains(t, values, "user_data", "the bootstrap data must stay a variable")
	})
}

func fuzzedMachine(name, description, key, value, note string) renderer.Machine {
	return machine(func(m *renderer.Machine) {
		m.Name, m.Description = name, description
		m.Categories = map[string]string{key: value}
		m.PrismElement.Name, m.Subnets[0].Name = note, note
		m.Project = &renderer.Ref{UUID: projectUUID, Name: note}
		m.Disks[0].Image.Name = note
		m.Disks[0].StorageContainer = &renderer.Ref{UUID: containerUUID, Name: note}
		m.GPUs = []renderer.GPU{{Vendor: "NVIDIA", Mode: "VIRTUAL", DeviceID: 1, Name: note}}
	})
}

func FuzzRenderCluster(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed, seed, seed)
	}
	harmless, err := renderer.RenderCluster(backend("local", map[string]string{"path": "p"}), renderer.Cluster{CategoryKey: "k", CategoryValue: "v"})
	require.NoError(f, err)
	harmless = harmless.WithImport(renderer.CategoryKeyAddress, "k")

	f.Fuzz(func(t *testing.T, key, value, path string) {
		settings := backend("local", map[string]string{"path": path})
		workspace, err := renderer.RenderCluster(settings, renderer.Cluster{CategoryKey: key, CategoryValue: value})
		if err != nil {
			require.ErrorIs(t, err, renderer.ErrInvalidInput)
			return
		}
		workspace = workspace.WithImport(renderer.CategoryKeyAddress, key)
		for _, name := range []string{"main.tf", "backend.tf", "import.tf"} {
			assert.Equal(t, skeleton(t, harmless.Files[name]), skeleton(t, workspace.Files[name]), name)
		}
		values := moduleValues(t, workspace.Files["main.tf"])
		assert.Equal(t, key, values["category_key"])
		assert.Equal(t, value, values["category_value"])
	})
}
