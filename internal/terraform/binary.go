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

// Products of the command line.
const (
	ProductTerraform = "terraform"
	ProductOpenTofu  = "tofu"
)

// minimum is the oldest version of each product that is supported: import blocks with expressions, test with mocked
// providers, and their OpenTofu counterparts.
var minimum = map[string]*version.Version{
	ProductTerraform: version.Must(version.NewVersion("1.7.0")),
	ProductOpenTofu:  version.Must(version.NewVersion("1.8.0")),
}

// Binary is an installed Terraform or OpenTofu.
type Binary struct {
	// Path is where it lies.
	Path string
	// Product is "terraform" or "tofu", whatever the file is called.
	Product string
	// Version is without a leading v, for example 1.11.4.
	Version string
}

// FindOptions say where to look for a binary.
type FindOptions struct {
	// Path is the binary that the user named; nothing else is looked at then.
	Path string
	// AllowDownload permits to download Terraform when there is none.
	AllowDownload bool
	// InstallDir is where a download is kept and found again; empty means a directory of its own below the user's cache
	// directory.
	InstallDir string
	// ReleasesURL is a mirror of the vendor's release server, with the same paths; empty means that server itself.
	ReleasesURL string
	// OnDownload is called before a download, which takes its time; it may be nil.
	OnDownload func(version, dir string)

	// publicKey and answerTimeout replace the vendor's key, in armor, and our patience in tests.
	publicKey     string
	answerTimeout time.Duration
}

// Find returns the Terraform or OpenTofu to use: the named one, else terraform or tofu on PATH with a supported version,
// else a download of Terraform when allowed.
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
		remedy = "see to it that the download works, from a mirror if need be"
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

// versionLine is the first line of `terraform version` and `tofu version`; the JSON form does not name the product.
var versionLine = regexp.MustCompile(`(?m)^(Terraform|OpenTofu) v(\S+)`)

// inspect asks a binary what it is and checks that it is recent enough.
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
		return Binary{}, fmt.Errorf("asking %s for its version: %w", path, err)
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
