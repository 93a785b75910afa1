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

// downloadVersion is the version of Terraform that is downloaded. The project is tested with it.
const downloadVersion = "1.11.4"

const (
	// downloadTimeout limits a whole download.
	downloadTimeout = 5 * time.Minute
	// responseTimeout limits the time until a server accepts a connection, and the time until it begins its response.
	responseTimeout = 20 * time.Second
)

// download returns the Terraform in the directory of the options. If there is none, download downloads it and verifies its
// signature.
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

// install downloads to a temporary directory within dir and moves the files to dir after they are verified. So dir never
// contains an incomplete download, even if two processes install at the same time or one is killed.
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

// publish moves the license and then the binary from stage to dir.
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

// fetch downloads a release to dir. It verifies the archive with the list of checksums, and the list with the vendor's
// signature.
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

// newTransport returns a transport with a timeout for servers that do not respond.
func newTransport(timeout time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: timeout}).DialContext,
		TLSHandshakeTimeout:   timeout,
		ResponseHeaderTimeout: timeout,
		ForceAttemptHTTP2:     true,
	}
}

// archiveError finds the error about an archive in the log of hc-install. hc-install 0.10.0 loses that error and reports only that
// the unpacked program is missing.
type archiveError struct{ text string }

func (l *archiveError) Write(line []byte) (int, error) {
	for _, beginning := range []string{"checksum does not match", "failed to calculate hash"} {
		if bytes.HasPrefix(line, []byte(beginning)) {
			l.text = strings.TrimSpace(string(line))
		}
	}
	return len(line), nil
}
