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
	// locks maps each usable version to its dependency lock file.
	locks map[string][]byte
	// unusable maps the versions in the mirror that runs cannot use to the reasons.
	unusable map[string]error
}

// readMirror finds the versions of the provider for this platform in the mirror dir, and reads their dependency lock files. The lock file
// of a version is .terraform.lock.hcl in the directory of the version. If it is missing, a lock file in the directory dir is used,
// provided that it locks this version.
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

// readLock returns the lock file of one version. Versions without a lock file are not usable, because init would accept any binary of the
// provider in the mirror.
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

// lockedVersion returns the version of the nutanix provider in a lock file, or an empty string.
func lockedVersion(lockFile []byte) string {
	found := lockedPattern.FindSubmatch(lockFile)
	if found == nil {
		return ""
	}
	return string(found[1])
}

// versions returns the usable versions, sorted from the oldest to the newest.
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

// lock returns the lock file of a version. If version is empty, it returns the lock file of the oldest usable version.
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
