// Command terraform prints the absolute path of the Terraform or OpenTofu that tests and demo use: the named one, else
// one on PATH, else a download. The Makefile runs it; when it fails, the Makefile builds OpenTofu.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/capnt/capnt/internal/terraform"
)

// findTimeout ends an attempt to download where there is no way to the internet.
const findTimeout = 60 * time.Second

func main() {
	path := flag.String("path", "", "Terraform or OpenTofu binary to use. Empty: look on PATH, then download.")
	installDir := flag.String("install-dir", "", "Directory for a download. Empty: one in the user's cache directory.")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	binary, err := find(ctx, *path, *installDir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "terraform:", err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "terraform: found %s %s\n", binary.Product, binary.Version)
	fmt.Println(binary.Path)
}

// find says before it starts a download, which takes its time.
func find(ctx context.Context, path, installDir string) (terraform.Binary, error) {
	binary, err := terraform.Find(ctx, terraform.FindOptions{
		Path: path, AllowDownload: true, InstallDir: installDir,
		OnDownload: func(version, _ string) {
			fmt.Fprintf(os.Stderr, "terraform: none on PATH, downloading %s (at most %s)\n", version, findTimeout)
		},
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return binary, fmt.Errorf("giving up after %s: %w", findTimeout, err)
	}
	return binary, err
}
