// Package toolbox finds the tools that the Makefile builds in pinned versions. If a tool is missing, a test that needs the tool fails
// with its name and is not skipped.
package toolbox

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
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

// A Provider is a version of the nutanix provider in a mirror.
type Provider struct {
	Version string
	// StandIn reports that this is e2e/providerstub, which takes the place of the provider. It has only resources of the v4 API.
	StandIn bool
}

// HasV4 reports whether the provider has resources of the v4 API.
func (p Provider) HasV4() bool { return !strings.HasPrefix(p.Version, "1.") }

// HasV3 reports whether the provider has resources of the v3 API.
func (p Provider) HasV3() bool { return !p.StandIn }

// String returns the name for messages and for subtests.
func (p Provider) String() string {
	if p.StandIn {
		return p.Version + " stand-in"
	}
	return p.Version
}

// mirrors are the directories of the provider mirrors by whether they contain the stand-in. Both contain version 1.9.5.
var mirrors = map[bool]string{false: "mirror", true: "mirror-stub"}

// versions is the directory in a mirror that contains the versions of the nutanix provider.
const versions = "registry.terraform.io/nutanix/nutanix"

// Mirror returns the path of the mirror that contains the provider.
func (p Provider) Mirror(t testing.TB) string {
	t.Helper()
	return Path(t, mirrors[p.StandIn])
}

// Lock returns the content of the dependency lock file of the provider.
func (p Provider) Lock(t testing.TB) []byte {
	t.Helper()
	content, err := os.ReadFile(Path(t, path.Join(mirrors[p.StandIn], versions, p.Version, ".terraform.lock.hcl")))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// ProviderVersions returns the versions of the nutanix provider in the mirror. `make tools PROVIDER_2=path` adds a version to the mirror.
func ProviderVersions(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(Path(t, path.Join(mirrors[false], versions)))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found
}

// Providers returns the providers that were built: those in the mirror, and the stand-in.
func Providers(t testing.TB) []Provider {
	t.Helper()
	var found []Provider
	for _, version := range ProviderVersions(t) {
		found = append(found, Provider{Version: version})
	}
	entries, err := os.ReadDir(filepath.Join(Dir(), mirrors[true], versions))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if p := (Provider{Version: entry.Name(), StandIn: true}); p.HasV4() {
			found = append(found, p)
		}
	}
	return found
}

// V4Providers returns the providers that have resources of the v4 API. If there is none, the test fails.
func V4Providers(t testing.TB) []Provider {
	t.Helper()
	found := slices.DeleteFunc(Providers(t), func(p Provider) bool { return !p.HasV4() })
	if len(found) == 0 {
		t.Fatal("finding a provider with resources of the v4 API: none is built yet, run `make tools` first")
	}
	return found
}
