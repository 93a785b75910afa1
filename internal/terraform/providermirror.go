package terraform

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/hashicorp/go-version"
)

// providerMirror contains the versions of the nutanix provider in an unpacked filesystem mirror.
type providerMirror struct {
	dir string
	// locks maps versions to their dependency lock files.
	locks map[string][]byte
	// unusable maps the other versions in the mirror to the reasons why runs cannot use them.
	unusable map[string]error
}

// readMirror reads the versions of the provider that a mirror has for this platform, and their dependency lock files. The lock
// file of a version is .terraform.lock.hcl in the directory of that version. A lock file in the directory of the mirror applies to
// the version that it locks.
func readMirror(dir string) (*providerMirror, error) {
	m := &providerMirror{dir: dir, locks: map[string][]byte{}, unusable: map[string]error{}}
	base := filepath.Join(dir, filepath.FromSlash(ProviderSource))
	entries, err := os.ReadDir(base)
	if err != nil {
		return nil, fmt.Errorf("reading the provider mirror: %s has to be the directory of an unpacked filesystem mirror with %s: %w", dir, ProviderSource, err)
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		lock, err := readLock(dir, entry.Name())
		if err != nil {
			m.unusable[entry.Name()] = err
			continue
		}
		m.locks[entry.Name()] = lock
	}
	if len(m.locks) == 0 {
		return nil, errors.Join(append([]error{fmt.Errorf("reading the provider mirror %s: it has no version of %s that can be used; build the mirror again", dir, ProviderSource)},
			slices.Collect(maps.Values(m.unusable))...)...)
	}
	return m, nil
}

// readLock returns the lock file of one version. Without a lock file, init would accept any provider binary in the mirror.
func readLock(dir, version string) ([]byte, error) {
	versionDir := filepath.Join(dir, filepath.FromSlash(ProviderSource), version)
	platform := runtime.GOOS + "_" + runtime.GOARCH
	if _, err := os.Stat(filepath.Join(versionDir, platform)); err != nil {
		return nil, fmt.Errorf("reading version %s of the provider: it is not there for %s: %w", version, platform, err)
	}
	var problems []error
	for _, path := range []string{filepath.Join(versionDir, lockFileName), filepath.Join(dir, lockFileName)} {
		content, err := os.ReadFile(path)
		if err == nil && lockedVersion(content) == version {
			return content, nil
		}
		if err == nil {
			err = fmt.Errorf("%s does not lock %s in version %s", path, ProviderSource, version)
		}
		problems = append(problems, err)
	}
	return nil, fmt.Errorf("reading the dependency lock file of version %s of the provider: %w", version, errors.Join(problems...))
}

var lockedPattern = regexp.MustCompile(`provider "` + regexp.QuoteMeta(ProviderSource) + `" \{\s+version\s+= "([^"]+)"`)

// lockedVersion returns the version of the provider that a lock file locks, or an empty string.
func lockedVersion(lockFile []byte) string {
	found := lockedPattern.FindSubmatch(lockFile)
	if found == nil {
		return ""
	}
	return string(found[1])
}

// versions returns the usable versions, the oldest first.
func (m *providerMirror) versions() []string {
	found := slices.Collect(maps.Keys(m.locks))
	slices.SortFunc(found, func(a, b string) int {
		first, err := version.NewVersion(a)
		second, other := version.NewVersion(b)
		if err != nil || other != nil {
			return strings.Compare(a, b)
		}
		return first.Compare(second)
	})
	return found
}

// lock returns the lock file of a version. An empty version means the oldest one.
func (m *providerMirror) lock(version string) ([]byte, error) {
	if version == "" {
		version = m.versions()[0]
	}
	content, found := m.locks[version]
	if !found {
		return nil, fmt.Errorf("looking for version %q of the nutanix provider: the mirror %s has %s", version, m.dir, strings.Join(m.versions(), ", "))
	}
	return content, nil
}
