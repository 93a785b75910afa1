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

// downloadVersion is the Terraform that is downloaded: the one that the project is tested with.
const downloadVersion = "1.11.4"

const (
	// downloadTimeout ends a download that makes too little progress.
	downloadTimeout = 5 * time.Minute
	// answerTimeout is how long a server may take to accept a connection, and to begin an answer.
	answerTimeout = 20 * time.Second
)

// download returns the Terraform in the directory of the options, downloading it (with its signature checked) if it is not
// there yet.
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

// install downloads to a directory of its own within dir and moves to dir what has been checked. So nothing half-made is
// ever found there, also when two start at once or one is killed.
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

// publish moves Terraform, and its licence before it, from stage to dir.
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

// fetch downloads a release to dir and checks it: the archive against the list of checksums, and that list against the
// vendor's signature.
func fetch(ctx context.Context, dir string, options FindOptions) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, downloadTimeout, fmt.Errorf("giving up after %s: %w", downloadTimeout, context.DeadlineExceeded))
	defer cancel()
	transport := newTransport(cmp.Or(options.answerTimeout, answerTimeout))
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
	lost := &lostError{}
	source.SetLogger(log.New(lost, "", 0))
	path, err := source.Install(ctx)
	switch {
	case err == nil:
		return path, nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case lost.text != "":
		return "", errors.New(lost.text)
	}
	return "", err
}

// newTransport gives up on a server that is silent.
func newTransport(patience time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: patience}).DialContext,
		TLSHandshakeTimeout:   patience,
		ResponseHeaderTimeout: patience,
		ForceAttemptHTTP2:     true,
	}
}

// lostError picks from hc-install's log what is wrong with an archive: hc-install 0.10.0 forgets that error when it removes
// the archive, and then complains of the program that it has not unpacked.
type lostError struct{ text string }

func (l *lostError) Write(line []byte) (int, error) {
	for _, beginning := range []string{"checksum does not match", "failed to calculate hash"} {
		if bytes.HasPrefix(line, []byte(beginning)) {
			l.text = strings.TrimSpace(string(line))
		}
	}
	return len(line), nil
}
