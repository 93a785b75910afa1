package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"

	"github.com/hashicorp/go-version"
)

// ProviderVersion is the version of the provider that the manager uses unless a cluster specifies another version. The
// environment variable CAPNT_PROVIDER_VERSION can select another version in the mirror, so that all scenarios run with
// it.
var ProviderVersion = cmp.Or(os.Getenv("CAPNT_PROVIDER_VERSION"), defaultProviderVersion())

func defaultProviderVersion() string {
	if UsesV4() {
		return "2.4.2"
	}
	return "1.9.5"
}

// providers is the directory of the provider's versions, relative to the provider mirror.
const providers = "registry.terraform.io/nutanix/nutanix"

// RenumberedVersion returns the patch version that follows ProviderVersion. With Options.RenumberedProvider, the mirror
// contains a copy of the binary of ProviderVersion under this version number.
func RenumberedVersion() string {
	numbers := version.Must(version.NewVersion(ProviderVersion)).Segments()
	return fmt.Sprintf("%d.%d.%d", numbers[0], numbers[1], numbers[2]+1)
}

// mirror returns the directory of the provider mirror.
func (s *Stack) mirror() string {
	if s.options.RenumberedProvider {
		return filepath.Join(s.options.Dir, "mirror")
	}
	return s.builtMirror()
}

// builtMirror returns the mirror that the Makefile has made. If the stand-in of provider 2.x was built and the provider itself was not,
// this is the mirror with the stand-in.
func (s *Stack) builtMirror() string {
	if found, err := filepath.Glob(filepath.Join(s.Tool("mirror"), providers, "2.*")); err == nil && len(found) > 0 {
		return s.Tool("mirror")
	}
	if _, err := os.Stat(s.Tool("mirror-stub")); err != nil {
		return s.Tool("mirror")
	}
	return s.Tool("mirror-stub")
}

// renumberProvider copies the provider mirror and adds RenumberedVersion to the copy. It only needs to copy a
// directory, because the name of a directory determines the version in an unpacked mirror.
func (s *Stack) renumberProvider(ctx context.Context) error {
	if err := os.CopyFS(s.mirror(), os.DirFS(s.builtMirror())); err != nil {
		return fmt.Errorf("copying the provider mirror: %w", err)
	}
	binary := filepath.Join(s.mirror(), providers, ProviderVersion, runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-nutanix_v"+ProviderVersion)
	add := exec.CommandContext(ctx, filepath.Join(s.options.Repository, "hack/tools/mirror.sh"), s.mirror(), binary, RenumberedVersion(), s.Tool("bin/terraform"))
	if output, err := add.CombinedOutput(); err != nil {
		return fmt.Errorf("adding version %s to the provider mirror: %w:\n%s", RenumberedVersion(), err, output)
	}
	return nil
}

// ProviderVersions returns the versions of the provider in the mirror.
func (s *Stack) ProviderVersions() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.mirror(), providers))
	if err != nil {
		return nil, fmt.Errorf("reading the provider mirror: %w", err)
	}
	var versions []string
	for _, entry := range entries {
		versions = append(versions, entry.Name())
	}
	return versions, nil
}

var requiredVersion = regexp.MustCompile(`version += "= ([^"]+)"`)

// lockFile returns the dependency lock file of the provider version that a workspace requires.
func (s *Stack) lockFile(content map[string][]byte) ([]byte, error) {
	found := requiredVersion.FindSubmatch(content["versions.tf"])
	if found == nil {
		return nil, errors.New("reading versions.tf of a workspace: it requires no exact version of the provider")
	}
	lock, err := os.ReadFile(filepath.Join(s.mirror(), providers, string(found[1]), ".terraform.lock.hcl"))
	if err != nil {
		return nil, fmt.Errorf("reading the dependency lock file: %w", err)
	}
	return lock, nil
}
