package plan

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVerify(t *testing.T) {
	record := Build(Origin{Basis: Basis{WorkspaceDigest: "w", Observed: "o", Lineage: "l", Serial: 3, Variables: "x"}}, []byte("file"), planned())
	tests := map[string]struct {
		file    string
		present Basis
		what    string
	}{
		"all equal":         {"file", Basis{"w", "o", "l", 3, "x", ""}, ""},
		"another plan file": {"File", Basis{"w", "o", "l", 3, "x", ""}, "plan file"},
		"no plan file":      {"", Basis{"w", "o", "l", 3, "x", ""}, "plan file"},
		"another workspace": {"file", Basis{"v", "o", "l", 3, "x", ""}, "workspace"},
		"another category":  {"file", Basis{"w", "p", "l", 3, "x", ""}, "observed infrastructure"},
		"nothing observed":  {"file", Basis{"w", "", "l", 3, "x", ""}, "observed infrastructure"},
		"another lineage":   {"file", Basis{"w", "o", "m", 3, "x", ""}, "state"},
		"a later serial":    {"file", Basis{"w", "o", "l", 4, "x", ""}, "state"},
		"an earlier serial": {"file", Basis{"w", "o", "l", 2, "x", ""}, "state"},
		"another token":     {"file", Basis{"w", "o", "l", 3, "y", ""}, "fingerprint of the sensitive variables"},
		"no variables":      {"file", Basis{"w", "o", "l", 3, "", ""}, "fingerprint of the sensitive variables"},
		"no state":          {"file", Basis{"w", "o", "", 0, "x", ""}, "state"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := record.Verify([]byte(test.file), test.present)
			if test.what == "" {
				require.NoError(t, err)
				return
			}
			var stale *StaleError
			require.ErrorAs(t, err, &stale)
			assert.Equal(t, test.what, stale.What)
			assert.NotEqual(t, stale.Recorded, stale.Have)
			assert.Contains(t, err.Error(), "verifying plan: the "+test.what+" differs")
		})
	}
}
