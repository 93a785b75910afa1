// Package toolbox finds the tools that the Makefile builds in pinned versions. If a tool is missing, a test that needs the tool fails
// with its name and is not skipped.
package toolbox

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"testing"
)

// Dir returns the absolute path of the directory in which `make tools` builds the tools: <repository>/.tools.
func Dir() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", ".tools")
}

// Find returns the absolute path of a file below Dir. name is a path relative to Dir, for example "bin/etcd" or "mirror". If the file is
// missing, the error contains the command that builds it.
func Find(name string) (string, error) {
	path := filepath.Join(Dir(), filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("finding tool %s: it is not built yet, run `make tools` first: %w", name, err)
	}
	return path, nil
}

// Path calls Find and returns the path. If the file is missing, the test fails.
func Path(t testing.TB, name string) string {
	t.Helper()
	path, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// providers is the directory in the provider mirror that contains the versions of the nutanix provider.
const providers = "mirror/registry.terraform.io/nutanix/nutanix"

// ProviderVersions returns the versions of the nutanix provider in the mirror. `make tools PROVIDER_2=path` adds a version to the mirror.
func ProviderVersions(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(Path(t, providers))
	if err != nil {
		t.Fatal(err)
	}
	var versions []string
	for _, entry := range entries {
		versions = append(versions, entry.Name())
	}
	return versions
}

// ProviderLock returns the path of the dependency lock file of a version of the nutanix provider.
func ProviderLock(t testing.TB, version string) string {
	t.Helper()
	const lockFile = ".terraform.lock.hcl"
	if found, err := Find(path.Join(providers, version, lockFile)); err == nil {
		return found
	}
	return Path(t, path.Join("mirror", lockFile))
}
