package terraform

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hc-install/product"
	"github.com/hashicorp/hc-install/releases"
)

// downloadVersion is the version of Terraform that Find downloads. The tests of the project use the same version.
const downloadVersion = "1.11.4"

const (
	// downloadTimeout limits the duration of a download.
	downloadTimeout = 5 * time.Minute
	// responseTimeout limits the time until the server accepts the connection, and then the time until the response begins.
	responseTimeout = 20 * time.Second
)

// download returns the Terraform binary in the install directory. If there is none, it downloads Terraform and verifies the signature.
func download(ctx context.Context, options FindOptions) (Binary, error) {
	dir, err := installDir(options.InstallDir)
	if err != nil {
		return Binary{}, fmt.Errorf("downloading terraform: finding a directory for it: %w", err)
	}
	if binary, err := inspect(ctx, filepath.Join(dir, ProductTerraform)); err == nil && binary.Version == downloadVersion {
		return binary, nil
	}
	if options.OnDownload != nil {
		options.OnDownload(downloadVersion, dir)
	}
	binary, err := install(ctx, dir, options)
	if err != nil {
		return Binary{}, fmt.Errorf("downloading terraform %s to %s: %w", downloadVersion, dir, err)
	}
	return binary, nil
}

func installDir(named string) (string, error) {
	if named != "" {
		return filepath.Abs(named)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "capnt", "terraform-"+downloadVersion), nil
}

// install downloads Terraform to a temporary directory below dir, verifies the files and then moves them to dir. Therefore dir never
// contains an incomplete binary, even if two processes install at the same time or a process is killed.
func install(ctx context.Context, dir string, options FindOptions) (binary Binary, reterr error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Binary{}, err
	}
	if err := sweep(dir, time.Now()); err != nil {
		return Binary{}, err
	}
	stage, err := os.MkdirTemp(dir, runDirPattern)
	if err != nil {
		return Binary{}, err
	}
	defer func() { reterr = errors.Join(reterr, os.RemoveAll(stage)) }()
	held, err := claim(runDir(stage), os.O_CREATE)
	if err != nil {
		return Binary{}, err
	}
	defer func() { reterr = errors.Join(reterr, held.Close()) }()
	path, err := fetch(ctx, stage, options)
	if err != nil {
		return Binary{}, err
	}
	if binary, err = inspect(ctx, path); err != nil {
		return Binary{}, err
	}
	return publish(binary, stage, dir)
}

// publish moves first the license and then the binary from the directory stage to the directory dir.
func publish(binary Binary, stage, dir string) (Binary, error) {
	for _, name := range []string{"LICENSE.txt", filepath.Base(binary.Path)} {
		err := os.Rename(filepath.Join(stage, name), filepath.Join(dir, name))
		if err != nil && !os.IsNotExist(err) {
			return Binary{}, err
		}
	}
	binary.Path = filepath.Join(dir, filepath.Base(binary.Path))
	return binary, nil
}

// fetch downloads a release to dir. It verifies the vendor's signature of the list of checksums, and the checksum of the archive.
func fetch(ctx context.Context, dir string, options FindOptions) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, downloadTimeout, fmt.Errorf("giving up after %s: %w", downloadTimeout, context.DeadlineExceeded))
	defer cancel()
	transport := newTransport(cmp.Or(options.responseTimeout, responseTimeout))
	defer transport.CloseIdleConnections()
	source := &releases.ExactVersion{
		Product:          product.Terraform,
		Version:          version.Must(version.NewVersion(downloadVersion)),
		InstallDir:       dir,
		Timeout:          downloadTimeout,
		ApiBaseURL:       strings.TrimRight(options.ReleasesURL, "/"),
		ArmoredPublicKey: options.publicKey,
		HTTPClient:       &http.Client{Transport: transport},
	}
	problem := &archiveError{}
	source.SetLogger(log.New(problem, "", 0))
	path, err := source.Install(ctx)
	switch {
	case err == nil:
		return path, nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case problem.text != "":
		return "", errors.New(problem.text)
	}
	return "", err
}

// newTransport returns an HTTP transport that fails if the server does not respond within timeout.
func newTransport(timeout time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: timeout}).DialContext,
		TLSHandshakeTimeout:   timeout,
		ResponseHeaderTimeout: timeout,
		ForceAttemptHTTP2:     true,
	}
}

// archiveError is a log writer that keeps the error about an archive in the log of hc-install. The log is needed because hc-install
// 0.10.0 returns only that the unpacked program is missing, and not why.
type archiveError struct{ text string }

func (l *archiveError) Write(line []byte) (int, error) {
	for _, beginning := range []string{"checksum does not match", "failed to calculate hash"} {
		if bytes.HasPrefix(line, []byte(beginning)) {
			l.text = strings.TrimSpace(string(line))
		}
	}
	return len(line), nil
}
