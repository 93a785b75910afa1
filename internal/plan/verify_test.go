package plan

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVerify(t *testing.T) {
	record := Build(Origin{WorkspaceDigest: "w", Lineage: "l", Serial: 3}, []byte("file"), planned())
	tests := map[string]struct {
		file, workspace, lineage string
		serial                   int64
		what                     string
	}{
		"all equal":         {"file", "w", "l", 3, ""},
		"another plan file": {"File", "w", "l", 3, "plan file"},
		"no plan file":      {"", "w", "l", 3, "plan file"},
		"another workspace": {"file", "v", "l", 3, "workspace"},
		"another lineage":   {"file", "w", "m", 3, "state"},
		"a later serial":    {"file", "w", "l", 4, "state"},
		"an earlier serial": {"file", "w", "l", 2, "state"},
		"no state":          {"file", "w", "", 0, "state"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := record.Verify([]byte(test.file), test.workspace, test.lineage, test.serial)
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
