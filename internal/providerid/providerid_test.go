package providerid_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/capnt/capnt/internal/providerid"
)

const uuid = "0a1b2c3d-4e5f-6789-abcd-ef0123456789"

func TestParse(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want string
		ok   bool
	}{
		"canonical":           {"nutanix://" + uuid, uuid, true},
		"upper case UUID":     {"nutanix://" + strings.ToUpper(uuid), uuid, true},
		"upper case scheme":   {"NUTANIX://" + uuid, uuid, true},
		"empty":               {"", "", false},
		"prefix only":         {"nutanix://", "", false},
		"bare UUID":           {uuid, "", false},
		"template name":       {"nutanix://my-cluster-m1", "", false},
		"nil UUID":            {"nutanix://00000000-0000-0000-0000-000000000000", "", false},
		"other cloud":         {"vsphere://" + uuid, "", false},
		"path":                {"nutanix:///zone/" + uuid, "", false},
		"trailing text":       {"nutanix://" + uuid + "/x", "", false},
		"trailing line break": {"nutanix://" + uuid + "\n", "", false},
		"without dashes":      {"nutanix://" + strings.ReplaceAll(uuid, "-", ""), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := providerid.Parse(tc.in)
			assert.Equal(t, tc.ok, ok)
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestFormat(t *testing.T) {
	assert.Equal(t, "nutanix://"+uuid, providerid.Format(strings.ToUpper(uuid)))
}

// FuzzRoundTrip proves that Format returns the same provider ID for all spellings of a UUID that Parse accepts, and that Parse accepts
// the result.
func FuzzRoundTrip(f *testing.F) {
	for _, seed := range []string{"nutanix://" + uuid, "NUTANIX://" + strings.ToUpper(uuid), uuid, "nutanix://x", "nutanix://\u212a", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parsed, ok := providerid.Parse(s)
		if !ok {
			assert.Empty(t, parsed)
			return
		}
		canonical := providerid.Format(parsed)
		assert.True(t, strings.EqualFold(s, canonical))
		again, ok := providerid.Parse(canonical)
		assert.True(t, ok)
		assert.Equal(t, parsed, again)
		assert.Equal(t, canonical, providerid.Format(again))
	})
}
