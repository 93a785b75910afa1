package terraform

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-version"
	"golang.org/x/mod/sumdb/dirhash"
)

// providerMirror contains the versions of the nutanix provider in an unpacked filesystem mirror.
type providerMirror struct {
	dir string
	// locks maps each usable version to its dependency lock file.
	locks map[string][]byte
	// unusable maps the versions in the mirror that runs cannot use to the reasons.
	unusable map[string]error

	mutex sync.Mutex
	// verified maps each version whose package matches its lock file to the fingerprint of the package.
	verified map[string]string
}

// readMirror finds the versions of the provider for this platform in the mirror dir, and reads their dependency lock files. The lock file
// of a version is .terraform.lock.hcl in the directory of the version. If it is missing, a lock file in the directory dir is used,
// provided that it locks this version.
func readMirror(dir string) (*providerMirror, error) {
	m := &providerMirror{dir: dir, locks: map[string][]byte{}, unusable: map[string]error{}, verified: map[string]string{}}
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
	if _, err := os.Stat(packageDir(dir, version)); err != nil {
		return nil, fmt.Errorf("reading version %s of the provider: it is not there for %s/%s: %w", version, runtime.GOOS, runtime.GOARCH, err)
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
	version = m.versionOr(version)
	content, found := m.locks[version]
	if !found {
		return nil, fmt.Errorf("looking for version %q of the nutanix provider: the mirror %s has %s", version, m.dir, strings.Join(m.versions(), ", "))
	}
	return content, nil
}

// versionOr returns version or, if it is empty, the oldest usable version.
func (m *providerMirror) versionOr(version string) string {
	if version == "" {
		return m.versions()[0]
	}
	return version
}

// executable returns the path of the executable of a version. It returns an error if the package does not match the lock file. If version
// is empty, the oldest usable version is used.
func (m *providerMirror) executable(version string) (string, error) {
	version = m.versionOr(version)
	lock, err := m.lock(version)
	if err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(packageDir(m.dir, version))
	if err != nil {
		return "", fmt.Errorf("looking for version %s of the nutanix provider: %w", version, err)
	}
	if err := m.verify(version, dir, lock); err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(dir, "terraform-provider-nutanix*"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("looking for the executable of version %s of the nutanix provider: %s has to contain one file terraform-provider-nutanix*, and it has %d", version, dir, len(found))
	}
	return found[0], nil
}

// verify compares the hash of the package in dir with the hashes in its lock file, as Terraform does. It computes the hash again only if a
// file has changed.
func (m *providerMirror) verify(version, dir string, lock []byte) error {
	current, err := fingerprint(dir)
	if err != nil {
		return fmt.Errorf("verifying version %s of the nutanix provider: %w", version, err)
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.verified[version] == current {
		return nil
	}
	hash, err := dirhash.HashDir(dir, "", dirhash.Hash1)
	if err != nil {
		return fmt.Errorf("verifying version %s of the nutanix provider: %w", version, err)
	}
	if !bytes.Contains(lock, []byte(`"`+hash+`"`)) {
		return fmt.Errorf("verifying version %s of the nutanix provider: the locked provider %s does not match the package in %s, whose hash is %s; build the mirror again",
			version, ProviderSource, dir, hash)
	}
	m.verified[version] = current
	return nil
}

// fingerprint returns a string that changes when a file in dir is replaced or written.
func fingerprint(dir string) (string, error) {
	var files strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&files, path, info.Size(), info.Mode(), info.ModTime().UnixNano())
		return nil
	})
	return files.String(), err
}

// packageDir returns the directory of the provider's package for this platform in the mirror dir.
func packageDir(dir, version string) string {
	return filepath.Join(dir, filepath.FromSlash(ProviderSource), version, runtime.GOOS+"_"+runtime.GOARCH)
}
