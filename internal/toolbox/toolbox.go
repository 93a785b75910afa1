// Package toolbox finds the pinned tools that the Makefile builds. A test that needs a missing tool fails with the name of the
// tool instead of being skipped.
package toolbox

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Dir returns the absolute path of the directory into which `make tools` builds: <repository>/.tools.
func Dir() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", ".tools")
}

// Find returns the absolute path of a file below Dir, for example "bin/etcd" or "mirror". The error for a missing file says how
// to build it.
func Find(name string) (string, error) {
	path := filepath.Join(Dir(), filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("finding tool %s: it is not built yet, run `make tools` first: %w", name, err)
	}
	return path, nil
}

// Path is Find for a test, which fails when the file is missing.
func Path(t testing.TB, name string) string {
	t.Helper()
	path, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
