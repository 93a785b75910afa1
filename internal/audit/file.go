package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"
)

// maxTail is how many bytes of the end of a file are read when the log is opened. They contain the records that may be ahead of the head,
// and the last records of the targets that are in use.
const maxTail = 8 << 20

// sink stores lines. When write returns without an error, the lines are stored permanently, as far as the sink can tell.
type sink interface {
	write(ctx context.Context, records []*Record, lines []byte) error
}

// file is a sink that appends to a file and rotates it. All lines of one write are in one file.
type file struct {
	path   string
	logger *lumberjack.Logger
	synced os.FileInfo // the file whose directory entry is stored permanently
}

func newFile(options *Options) *file {
	return &file{path: options.Path, logger: &lumberjack.Logger{
		Filename: options.Path, MaxSize: options.MaxSize, MaxBackups: options.MaxBackups, MaxAge: options.MaxAge,
	}}
}

func (f *file) write(_ context.Context, _ []*Record, lines []byte) error {
	_, err := f.logger.Write(lines)
	if err == nil {
		err = f.sync()
	}
	if err != nil {
		return fmt.Errorf("writing audit log %s (is the disk full?): %w", f.path, err)
	}
	return nil
}

// sync stores the file permanently. An earlier file needs no sync after a rotation, because every write is followed by a sync.
func (f *file) sync() error {
	current, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer current.Close()
	if err := current.Sync(); err != nil {
		return err
	}
	info, err := current.Stat()
	if err != nil || f.synced != nil && os.SameFile(f.synced, info) {
		return err
	}
	directory, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	defer directory.Close()
	if err := directory.Sync(); err != nil {
		return err
	}
	f.synced = info
	return nil
}

// close closes the file. The next write opens it again.
func (f *file) close() error { return f.logger.Close() }

// open removes an incomplete line at the end of the file, which an interrupted write left behind. It returns the end of the last rotated
// file and of the file. Open fails if the file cannot be written.
func (f *file) open() ([]byte, error) {
	if err := f.close(); err != nil {
		return nil, fmt.Errorf("opening audit log %s: %w", f.path, err)
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return nil, fmt.Errorf("opening audit log %s: %w", f.path, err)
	}
	current, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening audit log: %w", err)
	}
	defer current.Close()
	last, err := readTail(current)
	if err != nil {
		return nil, fmt.Errorf("reading audit log %s: %w", f.path, err)
	}
	if incomplete := len(last) - bytes.LastIndexByte(last, '\n') - 1; incomplete > 0 {
		last = last[:len(last)-incomplete]
		if err := truncate(current, incomplete); err != nil {
			return nil, fmt.Errorf("removing an incomplete record from audit log %s: %w", f.path, err)
		}
	}
	rotated, err := f.rotated()
	if err != nil {
		return nil, fmt.Errorf("reading the last rotated file of audit log %s: %w", f.path, err)
	}
	return append(rotated, last...), f.sync()
}

// rotatedLayout is the layout of the time in the name of a rotated file, "<name>-<time><extension>". The logger defines it.
const rotatedLayout = "2006-01-02T15-04-05.000"

// rotated returns the end of the file that was rotated last.
func (f *file) rotated() ([]byte, error) {
	entries, err := os.ReadDir(filepath.Dir(f.path))
	if err != nil {
		return nil, err
	}
	extension := filepath.Ext(f.path)
	name := strings.TrimSuffix(filepath.Base(f.path), extension)
	for _, entry := range slices.Backward(entries) { // sorted by name, and so by time
		at, isRotated := strings.CutPrefix(strings.TrimSuffix(entry.Name(), extension), name+"-")
		if _, err := time.Parse(rotatedLayout, at); !isRotated || err != nil {
			continue
		}
		last, err := os.Open(filepath.Join(filepath.Dir(f.path), entry.Name()))
		if err != nil {
			return nil, err
		}
		tail, err := readTail(last)
		return tail, errors.Join(err, last.Close())
	}
	return nil, nil
}

// readTail returns the complete lines, and an incomplete last line, among the last maxTail bytes of f.
func readTail(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	start := max(info.Size()-maxTail, 0)
	tail, err := io.ReadAll(io.NewSectionReader(f, start, info.Size()-start))
	if err != nil || start == 0 {
		return tail, err
	}
	return tail[bytes.IndexByte(tail, '\n')+1:], nil
}

func truncate(f *os.File, bytes int) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return f.Truncate(info.Size() - int64(bytes))
}

// stream is a sink that writes to standard output.
type stream struct {
	writer io.Writer
	broken error
}

func (s *stream) write(_ context.Context, _ []*Record, lines []byte) error {
	if s.broken != nil {
		return s.broken
	}
	n, err := s.writer.Write(lines)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("writing audit records to standard output: %w", err)
	if n > 0 {
		s.broken = err // some of the records were written, so the next ones would be written under the same numbers
	}
	return err
}
