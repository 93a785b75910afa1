// Package toolbox finds the pinned tools that the Makefile builds, so that a test that needs one names what is missing
// instead of skipping.
package toolbox

import (
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

// Path returns the absolute path of a file below Dir, for example "bin/etcd" or "mirror". The test fails when it is absent.
func Path(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(Dir(), filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("finding tool %s: it is not built yet, run `make tools` first: %v", name, err)
	}
	return path
}
