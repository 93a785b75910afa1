package terraform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// ProviderSource is the address of the nutanix provider in workspaces. The explicit host makes Terraform and OpenTofu find it in
// the same mirror.
const ProviderSource = "registry.terraform.io/nutanix/nutanix"

// defaultInterruptGrace is enough time for an interrupted provider call to end and for Terraform to write the state.
const defaultInterruptGrace = 2 * time.Minute

const lockFileName = ".terraform.lock.hcl"

// Config is the configuration of all runs.
type Config struct {
	// Binary is the Terraform or OpenTofu to run, see Find.
	Binary Binary
	// MirrorDir is an unpacked filesystem mirror with one or more versions of the nutanix provider, each with its dependency
	// lock file (.terraform.lock.hcl).
	MirrorDir string
	// ScratchDir is the parent of the run directories. Empty means the temporary directory of the system. Its path can have at
	// most 71 bytes, see maxScratch.
	ScratchDir string
	// Env is the environment of every run, for example KUBE_CONFIG_PATH, KUBERNETES_SERVICE_HOST or HTTPS_PROXY for a
	// state backend. RunOptions.Env overrides it.
	Env map[string]string
	// InterruptGrace is the time in which an interrupted command has to write its state and release its lock. Then it is killed.
	// Zero means two minutes.
	InterruptGrace time.Duration
}

// Terraform creates runs. It is safe for concurrent use.
type Terraform struct {
	config  Config
	mirror  *providerMirror
	roots   []byte
	metrics *metrics
	// free returns the free space of a directory's file system; a test replaces it.
	free func(dir string) (uint64, error)
}

// New checks the configuration, reads the dependency lock files of the mirror and removes the run directories that a
// killed process left in ScratchDir.
func New(config Config) (*Terraform, error) {
	if config.Binary.Path == "" {
		return nil, errors.New("configuring terraform: Binary.Path is empty; find a binary with Find first")
	}
	if config.ScratchDir == "" {
		config.ScratchDir = os.TempDir()
	}
	if config.InterruptGrace == 0 {
		config.InterruptGrace = defaultInterruptGrace
	}
	for _, path := range []*string{&config.Binary.Path, &config.MirrorDir, &config.ScratchDir} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return nil, fmt.Errorf("configuring terraform: making %q absolute: %w", *path, err)
		}
		*path = absolute
	}
	if len(config.ScratchDir) > maxScratch {
		return nil, fmt.Errorf("configuring terraform: ScratchDir %s is %d bytes long and leaves no room for the sockets of providers; "+
			"choose one of at most %d bytes", config.ScratchDir, len(config.ScratchDir), maxScratch)
	}
	mirror, err := readMirror(config.MirrorDir)
	if err != nil {
		return nil, err
	}
	if err := sweep(config.ScratchDir, time.Now()); err != nil {
		return nil, err
	}
	return &Terraform{config: config, mirror: mirror, roots: systemRoots(), metrics: newMetrics(), free: freeBytes}, nil
}

// Binary returns the Terraform or OpenTofu that runs use.
func (t *Terraform) Binary() Binary { return t.config.Binary }

// ProviderVersions returns the versions of the nutanix provider that runs may use, the oldest first.
func (t *Terraform) ProviderVersions() []string { return t.mirror.versions() }

// UnusableProviders returns the other versions that are in the mirror, with the reasons why runs cannot use them.
func (t *Terraform) UnusableProviders() map[string]error { return t.mirror.unusable }
