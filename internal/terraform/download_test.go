package terraform

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Environment variables for the test binary. If they are set, the test binary only calls Find.
const (
	findURL = "CAPNT_TEST_FIND_URL"
	findKey = "CAPNT_TEST_FIND_KEY"
	findDir = "CAPNT_TEST_FIND_DIR"
)

// TestMain runs the tests. If the environment variables above are set, it only calls Find.
func TestMain(m *testing.M) {
	if os.Getenv(findDir) == "" {
		os.Exit(m.Run())
	}
	binary, err := Find(context.Background(), FindOptions{
		AllowDownload: true, InstallDir: os.Getenv(findDir), ReleasesURL: os.Getenv(findURL), publicKey: os.Getenv(findKey),
	})
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	_, _ = os.Stdout.WriteString(binary.Path)
	os.Exit(0)
}

// host simulates a host without Terraform, with an empty PATH. dir is the install directory, and temp is the directory for temporary
// files.
type host struct{ dir, temp string }

// newHost changes environment variables, so tests that call it must not run in parallel.
func newHost(t *testing.T) host {
	t.Helper()
	p := host{dir: t.TempDir(), temp: t.TempDir()}
	t.Setenv("PATH", t.TempDir())
	t.Setenv("TMPDIR", p.temp)
	return p
}

func (p host) options(mirror *mirror) FindOptions {
	return FindOptions{AllowDownload: true, InstallDir: p.dir, ReleasesURL: mirror.URL, publicKey: mirror.PublicKey}
}

// names returns the names of the files in a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	list := make([]string, 0, len(entries))
	for _, entry := range entries {
		list = append(list, entry.Name())
	}
	return list
}

func TestDownloadIsUsedAgain(t *testing.T) {
	machine, mirror := newHost(t), newMirror(t)
	var downloads []string
	options := machine.options(mirror)
	options.OnDownload = func(version, dir string) { downloads = append(downloads, version+" "+dir) }
	want := Binary{Path: filepath.Join(machine.dir, "terraform"), Product: ProductTerraform, Version: downloadVersion}

	binary, err := Find(t.Context(), options)
	require.NoError(t, err)
	assert.Equal(t, want, binary)
	assert.Equal(t, []string{releaseIndex, releaseSignature, releaseSums, releaseArchive}, mirror.requests())
	assert.Equal(t, []string{downloadVersion + " " + machine.dir}, downloads)
	assert.Equal(t, []string{"LICENSE.txt", "terraform"}, names(t, machine.dir))
	assert.Empty(t, names(t, machine.temp), "the archive is not kept")
	info, err := os.Stat(binary.Path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode())

	binary, err = Find(t.Context(), options)
	require.NoError(t, err)
	assert.Equal(t, want, binary)
	assert.Empty(t, mirror.requests(), "what is there is not downloaded again")
	assert.Len(t, downloads, 1)

	fakeBinary(t, machine.dir, "terraform", "Terraform v1.11.0")
	binary, err = Find(t.Context(), options)
	require.NoError(t, err)
	assert.Equal(t, want, binary, "another version, of an earlier release of this program, is replaced")
}

func TestDownloadIsInUserCache(t *testing.T) {
	machine, mirror := newHost(t), newMirror(t)
	t.Setenv("XDG_CACHE_HOME", machine.dir)
	options := machine.options(mirror)
	options.InstallDir = ""
	binary, err := Find(t.Context(), options)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(machine.dir, "capnt", "terraform-"+downloadVersion, "terraform"), binary.Path)
}

func TestDownloadWithWrongSignatureIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		spoil   func(t *testing.T, mirror *mirror)
		failure string
	}{
		"another archive": {
			func(_ *testing.T, mirror *mirror) { mirror.serve(releaseArchive, []byte("another archive")) },
			"checksum does not match",
		},
		"archive without a checksum": {
			func(t *testing.T, mirror *mirror) {
				mirror.sign(t, []byte(strings.Repeat("0", 64)+"  another.zip\n"))
			}, "no checksum found",
		},
		"checksums changed after they were signed": {
			func(_ *testing.T, mirror *mirror) {
				mirror.serve(releaseSums, []byte(strings.Repeat("0", 64)+"  "+releaseArchive+"\n"))
			}, "signature",
		},
		"another signer": {
			func(t *testing.T, mirror *mirror) { mirror.PublicKey = newMirror(t).PublicKey }, "signature",
		},
		"the vendor's key": {
			func(_ *testing.T, mirror *mirror) { mirror.PublicKey = "" }, "signature",
		},
		"no signature": {
			func(_ *testing.T, mirror *mirror) { mirror.serve(releaseSignature, nil) }, "404",
		},
		"another program": {
			func(t *testing.T, mirror *mirror) { mirror.release(t, "#!/bin/sh\necho another\n") }, "neither Terraform nor OpenTofu",
		},
		"program that cannot be executed": {
			func(t *testing.T, mirror *mirror) { mirror.release(t, "\x7fELF") }, "version",
		},
	} {
		t.Run(name, func(t *testing.T) {
			machine, mirror := newHost(t), newMirror(t)
			test.spoil(t, mirror)
			_, err := Find(t.Context(), machine.options(mirror))
			for _, part := range []string{test.failure, "--terraform-path", "PATH", "mirror", "downloading terraform " + downloadVersion + " to " + machine.dir} {
				require.ErrorContains(t, err, part)
			}
			assert.Empty(t, names(t, machine.dir))
			assert.Empty(t, names(t, machine.temp))
		})
	}
}

func TestDownloadFromFailingServer(t *testing.T) {
	silent := func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() }
	broken := func(writer http.ResponseWriter, _ *http.Request) {
		writer.Header().Set("Content-Type", "application/zip")
		writer.Header().Set("Content-Length", "100")
		_, _ = writer.Write([]byte("half"))
	}
	// patience is a timeout that expires only if a test delays the mirror's response, even on a busy machine.
	const patience = 2 * time.Second
	for name, test := range map[string]struct {
		file     string
		handler  http.HandlerFunc
		patience time.Duration
		failure  string
	}{
		"silent":                {releaseIndex, silent, patience, "timeout awaiting response headers"},
		"silent for an archive": {releaseArchive, silent, patience, "timeout awaiting response headers"},
		"truncated archive":     {releaseArchive, broken, 0, "unexpected EOF"},
		"no such release":       {releaseIndex, http.NotFound, 0, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			machine, mirror := newHost(t), newMirror(t)
			mirror.misbehave(test.file, test.handler)
			options := machine.options(mirror)
			options.responseTimeout = test.patience
			_, err := Find(t.Context(), options)
			require.ErrorContains(t, err, test.failure)
			require.ErrorContains(t, err, "--terraform-path")
			assert.Empty(t, names(t, machine.dir))
			assert.Empty(t, names(t, machine.temp))

			mirror.misbehave(test.file, nil)
			_, err = Find(t.Context(), machine.options(mirror))
			require.NoError(t, err, "the next start downloads it")
		})
	}
}

func TestDownloadWithoutServer(t *testing.T) {
	machine, mirror := newHost(t), newMirror(t)
	options := machine.options(mirror)
	options.ReleasesURL = "http://127.0.0.1:1/"
	_, err := Find(t.Context(), options)
	require.ErrorContains(t, err, "connection refused")
	assert.Empty(t, names(t, machine.dir))
}

// halfArchive makes mirror send only the first half of the archive. The returned channel is closed when the half has been sent.
func halfArchive(mirror *mirror) <-chan struct{} {
	served := make(chan struct{})
	mirror.misbehave(releaseArchive, func(writer http.ResponseWriter, request *http.Request) {
		content := []byte("half")
		writer.Header().Set("Content-Type", "application/zip")
		writer.Header().Set("Content-Length", strconv.Itoa(2*len(content)))
		_, _ = writer.Write(content)
		_ = http.NewResponseController(writer).Flush()
		close(served)
		<-request.Context().Done()
	})
	return served
}

func TestInterruptedDownloadLeavesNothing(t *testing.T) {
	machine, mirror := newHost(t), newMirror(t)
	served := halfArchive(mirror)
	ctx, cancel := cancelable(t)
	go func() {
		<-served
		cancel()
	}()
	_, err := Find(ctx, machine.options(mirror))
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, names(t, machine.dir))
	assert.Empty(t, names(t, machine.temp))
}

// process returns a command that calls Find in another process, with the same directories.
func (p host) process(t *testing.T, mirror *mirror) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), self)
	command.Env = append(os.Environ(), findDir+"="+p.dir, findURL+"="+mirror.URL, findKey+"="+mirror.PublicKey)
	return command
}

func TestDownloadOfKilledProcessIsRemoved(t *testing.T) {
	machine, mirror := newHost(t), newMirror(t)
	served := halfArchive(mirror)
	killed := machine.process(t, mirror)
	require.NoError(t, killed.Start())
	<-served
	require.NoError(t, killed.Process.Kill())
	require.Error(t, killed.Wait())
	left := names(t, machine.dir)
	require.Len(t, left, 1)
	long := time.Now().Add(-2 * sweepAge)
	require.NoError(t, os.Chtimes(filepath.Join(machine.dir, left[0]), long, long))

	mirror.misbehave(releaseArchive, nil)
	_, err := Find(t.Context(), machine.options(mirror))
	require.NoError(t, err)
	assert.Equal(t, []string{"LICENSE.txt", "terraform"}, names(t, machine.dir))
}

// TestConcurrentDownloads calls Find in several processes. In the middle of its download each process waits for the others, so that all
// processes download at the same time.
func TestConcurrentDownloads(t *testing.T) {
	machine, mirror := newHost(t), newMirror(t)
	const processes = 3
	archive := mirror.files[releaseArchive]
	arrived, all := make(chan struct{}), make(chan struct{})
	mirror.misbehave(releaseArchive, func(writer http.ResponseWriter, _ *http.Request) {
		writer.Header().Set("Content-Type", "application/zip")
		writer.Header().Set("Content-Length", strconv.Itoa(len(archive)))
		// The timeout applies only until the response begins.
		_ = http.NewResponseController(writer).Flush()
		arrived <- struct{}{}
		<-all
		_, _ = writer.Write(archive)
	})
	results := make(chan string, processes)
	for range processes {
		command := machine.process(t, mirror)
		go func() {
			output, err := command.CombinedOutput()
			if err != nil {
				output = append(output, err.Error()...)
			}
			results <- string(output)
		}()
	}
	for range processes {
		<-arrived
	}
	close(all)
	for range processes {
		assert.Equal(t, filepath.Join(machine.dir, "terraform"), <-results)
	}
	assert.Equal(t, []string{"LICENSE.txt", "terraform"}, names(t, machine.dir))
	assert.Empty(t, names(t, machine.temp))
}
