package terraform

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hc-install/product"
	"github.com/hashicorp/hc-install/releases"
)

// downloadVersion is the Terraform that is downloaded: the one that the project is tested with.
const downloadVersion = "1.11.4"

// download returns the Terraform in dir, downloading it (with its signature checked) if it is not there yet.
func download(ctx context.Context, dir string) (Binary, error) {
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return Binary{}, fmt.Errorf("downloading terraform: finding a directory for it: %w", err)
		}
		dir = filepath.Join(cache, "capnt", "terraform-"+downloadVersion)
	}
	if binary, err := inspect(ctx, filepath.Join(dir, ProductTerraform)); err == nil {
		return binary, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Binary{}, fmt.Errorf("downloading terraform: %w", err)
	}
	source := &releases.ExactVersion{
		Product:    product.Terraform,
		Version:    version.Must(version.NewVersion(downloadVersion)),
		InstallDir: dir,
	}
	path, err := source.Install(ctx)
	if err != nil {
		return Binary{}, fmt.Errorf("downloading terraform %s to %s: %w", downloadVersion, dir, err)
	}
	return inspect(ctx, path)
}
