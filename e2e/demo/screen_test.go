package demo

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestScreenPrintsWhatIsMissing(t *testing.T) {
	for name, test := range map[string]struct {
		awaited []string
		err     error
		want    []string
	}{
		"nothing":        {},
		"some things":    {awaited: []string{"blue: no Nodes", "blue: no machines"}, want: []string{"still waiting: blue: no Nodes\n", "still waiting: blue: no machines\n"}},
		"a failed check": {err: errors.New("no response"), want: []string{"still waiting: no response\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			NewScreen(&out).remind(test.awaited, test.err)
			for _, line := range test.want {
				assert.Contains(t, out.String(), line)
			}
			assert.Equal(t, len(test.want), bytes.Count(out.Bytes(), []byte("\n")))
		})
	}
}
