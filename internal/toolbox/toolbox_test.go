package toolbox

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFind(t *testing.T) {
	_, err := Find("bin/no-such-tool")
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "finding tool bin/no-such-tool: it is not built yet, run `make tools` first")

	path, err := Find("bin")
	require.NoError(t, err)
	assert.Equal(t, path, Path(t, "bin"))
}
