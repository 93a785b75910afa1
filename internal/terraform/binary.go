package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/hashicorp/go-version"
)

// Products that provide the command line.
const (
	ProductTerraform = "terraform"
	ProductOpenTofu  = "tofu"
)

// minimum is the oldest supported version of each product. Older versions support neither expressions in import blocks nor mocked
// providers in tests.
var minimum = map[string]*version.Version{
	ProductTerraform: version.Must(version.NewVersion("1.7.0")),
	ProductOpenTofu:  version.Must(version.NewVersion("1.8.0")),
}

// Binary is an installed Terraform or OpenTofu binary.
type Binary struct {
	// Path is the absolute path of the binary.
	Path string
	// Product is ProductTerraform or ProductOpenTofu. It does not depend on the name of the file.
	Product string
	// Version is the version without a leading v, for example 1.11.4.
	Version string
}

// FindOptions configures the search for a binary.
type FindOptions struct {
	// Path is the path of the binary, as configured by the user. If it is set, Find does not search for other binaries.
	Path string
	// AllowDownload lets Find download Terraform if it does not find a binary.
	AllowDownload bool
	// InstallDir is the directory for a downloaded binary. Later calls of Find use the same binary again. If InstallDir is empty, a
	// directory below the user's cache directory is used.
	InstallDir string
	// ReleasesURL is the URL of a mirror of the vendor's release server with the same paths. If it is empty, the release server itself is
	// used.
	ReleasesURL string
	// OnDownload is called before a download, because a download may take a long time. It may be nil.
	OnDownload func(version, dir string)

	// publicKey and responseTimeout are set by tests. publicKey replaces the vendor's armored key, and responseTimeout replaces the constant
	// responseTimeout.
	publicKey       string
	responseTimeout time.Duration
}

// Find returns the binary to use. If options.Path is set, it is that binary. Otherwise it is terraform or tofu on PATH, if the version is
// supported. Otherwise Find downloads Terraform, if options.AllowDownload is set.
func Find(ctx context.Context, options FindOptions) (Binary, error) {
	if options.Path != "" {
		binary, err := inspect(ctx, options.Path)
		if err != nil {
			return Binary{}, fmt.Errorf("using the terraform binary %s that --terraform-path names: %w", options.Path, err)
		}
		return binary, nil
	}
	var failures []error
	for _, name := range []string{ProductTerraform, ProductOpenTofu} {
		binary, err := onPath(ctx, name)
		if err == nil {
			return binary, nil
		}
		failures = append(failures, err)
	}
	remedy := "allow the download"
	if options.AllowDownload {
		binary, err := download(ctx, options)
		if err == nil {
			return binary, nil
		}
		failures = append(failures, err)
		remedy = "make the download work, for example from a mirror"
	} else {
		failures = append(failures, errors.New("downloading terraform: not allowed"))
	}
	return Binary{}, fmt.Errorf("finding terraform: --terraform-path is not set, PATH has no terraform >= %s or tofu >= %s, and none was downloaded; "+
		"set --terraform-path, install one of them on PATH, or %s: %w",
		minimum[ProductTerraform], minimum[ProductOpenTofu], remedy, errors.Join(failures...))
}

func onPath(ctx context.Context, name string) (Binary, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return Binary{}, fmt.Errorf("looking for %s: %w", name, err)
	}
	return inspect(ctx, path)
}

// versionLine matches the first line of the output of `terraform version` and `tofu version`. The JSON output cannot be used, because it
// does not contain the name of the product.
var versionLine = regexp.MustCompile(`(?m)^(Terraform|OpenTofu) v(\S+)`)

// inspect runs a binary to find out its product and version. It returns an error if the version is not supported.
func inspect(ctx context.Context, path string) (Binary, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Binary{}, fmt.Errorf("making %q absolute: %w", path, err)
	}
	command := exec.CommandContext(ctx, path, "version")
	command.Dir = os.TempDir()
	command.Env = []string{"PATH=" + searchPath, "CHECKPOINT_DISABLE=1"}
	output, err := command.Output()
	if err != nil {
		return Binary{}, fmt.Errorf("running %s version: %w", path, err)
	}
	return parseVersion(path, string(output))
}

func parseVersion(path, output string) (Binary, error) {
	match := versionLine.FindStringSubmatch(output)
	if match == nil {
		return Binary{}, fmt.Errorf("reading the version of %s: it is neither Terraform nor OpenTofu", path)
	}
	product := ProductTerraform
	if match[1] == "OpenTofu" {
		product = ProductOpenTofu
	}
	found, err := version.NewVersion(match[2])
	if err != nil {
		return Binary{}, fmt.Errorf("reading the version of %s: %w", path, err)
	}
	if found.Core().LessThan(minimum[product]) {
		return Binary{}, fmt.Errorf("checking %s: %s %s is too old; install %s or newer", path, match[1], found, minimum[product])
	}
	return Binary{Path: path, Product: product, Version: found.String()}, nil
}
