package audit

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// waitFor and tick limit how long tests wait for a condition.
const (
	waitFor = 30 * time.Second
	tick    = time.Millisecond
)

// rotated returns the file and its rotated files.
func rotated(t *testing.T, path string) []string {
	t.Helper()
	paths, err := filepath.Glob(strings.TrimSuffix(path, ".log") + "*.log")
	require.NoError(t, err)
	return paths
}

func TestRotationKeepsChain(t *testing.T) {
	path, _ := files(t)
	c := newCluster()
	long := sample(0)
	long.Message = strings.Repeat("m", 2*maxMessage)
	for _, term := range []string{"lease/1/a", "lease/2/a"} {
		log := c.pod(t, path, term)
		for range 300 {
			require.NoError(t, log.Append(t.Context(), *long))
		}
	}
	paths := rotated(t, path)
	assert.Len(t, paths, 3, "the file is rotated at 1 MiB")
	assert.Equal(t, 600, c.verify(t, paths...).Records)
	for _, path := range paths {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.LessOrEqual(t, info.Size(), int64(1<<20))
		assert.Equal(t, os.FileMode(0o600), info.Mode())
	}
}

// TestRotationRightBeforeRestart is about a process that ends after it has rotated the file and before it has written the head.
func TestRotationRightBeforeRestart(t *testing.T) {
	path, _ := files(t)
	c := newCluster()
	log := c.pod(t, path, "lease/1/a")
	appendRecords(t, log, 0, 20)
	require.NoError(t, log.writer.file.logger.Rotate())
	other := strings.TrimSuffix(path, ".log") + "-other.log"
	require.NoError(t, os.WriteFile(other, join(newTrail(t).add(3)), 0o600))
	c.before = failing
	require.ErrorIs(t, log.Append(t.Context(), *sample(20)), errAPI)
	c.before = func() error { return nil }

	next := c.pod(t, path, "lease/2/a")
	appendRecords(t, next, 21, 20)
	require.NoError(t, os.Remove(other))
	report := c.verify(t, rotated(t, path)...)
	assert.Equal(t, 41, report.Records)
	assert.Zero(t, report.Unacknowledged)
	assert.Contains(t, next.writer.targets, "key-3", "the last records of the targets are read from the rotated file")
}

func TestRestartRemovesIncompleteRecord(t *testing.T) {
	path, _ := files(t)
	c := newCluster()
	appendRecords(t, c.pod(t, path, "lease/1/a"), 0, 5)
	whole := read(t, path)
	line := whole[bytes.LastIndexByte(whole[:len(whole)-1], '\n')+1:]
	require.NoError(t, os.WriteFile(path, append(bytes.Clone(whole), line[:len(line)/2]...), 0o600))
	assert.Equal(t, 1, c.verify(t, path).OtherLines)

	require.NoError(t, c.pod(t, path, "lease/2/a").Start(t.Context()))
	assert.Equal(t, string(whole), string(read(t, path)))
	assert.Zero(t, c.verify(t, path).OtherLines)
}

// interrupted is a sink that stores only the first bytes, as a full disk does.
type interrupted struct {
	file  *file
	bytes int
}

func (s *interrupted) write(ctx context.Context, records []*Record, lines []byte) error {
	if err := s.file.write(ctx, records, lines[:min(s.bytes, len(lines))]); err != nil {
		return err
	}
	return os.ErrDeadlineExceeded
}

func TestAppendContinuesAfterInterruptedWrite(t *testing.T) {
	path, _ := files(t)
	c := newCluster()
	log := c.pod(t, path, "lease/1/a")
	appendRecords(t, log, 0, 20)
	records := 20
	for _, stored := range []int{0, 1, 100, 1 << 20} {
		log.writer.sink = &interrupted{log.writer.file, stored}
		require.ErrorIs(t, log.Append(t.Context(), *sample(records)), os.ErrDeadlineExceeded)
		log.writer.sink = log.writer.file
		appendRecords(t, log, records, 20)
		records += 20
		if stored == 1<<20 {
			records++ // the record was stored although the write failed
		}
	}
	report := c.verify(t, path)
	assert.Equal(t, records, report.Records)
	assert.Zero(t, report.Unacknowledged)
	assert.Zero(t, report.OtherLines)
}

func TestFileThatCannotBeWritten(t *testing.T) {
	c := newCluster()
	log := c.pod(t, t.TempDir(), "lease/1/a") // a directory
	require.ErrorContains(t, log.Append(t.Context(), *sample(0)), "opening audit log")
}
