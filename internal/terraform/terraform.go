package terraform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// ProviderSource is the address of the nutanix provider in workspaces. The address contains the host, so that Terraform and OpenTofu find
// the provider in the same directory of the mirror.
const ProviderSource = "registry.terraform.io/nutanix/nutanix"

// defaultInterruptGrace is long enough for an interrupted provider call to end and for Terraform to write the state afterwards.
const defaultInterruptGrace = 2 * time.Minute

const lockFileName = ".terraform.lock.hcl"

// Config contains the settings for all runs.
type Config struct {
	// Binary is the Terraform or OpenTofu binary that runs use, see Find.
	Binary Binary
	// MirrorDir is the directory of an unpacked filesystem mirror. It contains one or more versions of the nutanix provider, each with its
	// dependency lock file (.terraform.lock.hcl).
	MirrorDir string
	// ScratchDir is the parent directory of the run directories. If it is empty, the system's directory for temporary files is used. Its
	// path may have at most 71 bytes, see maxScratch.
	ScratchDir string
	// Env contains environment variables for all runs, for example HTTPS_PROXY for a state backend.
	// RunOptions.Env overrides them.
	Env map[string]string
	// InterruptGrace is how long an interrupted command may take to write its state and release its lock. Afterwards the command is killed.
	// Zero means two minutes.
	InterruptGrace time.Duration
	// FingerprintKey is the key of the fingerprints that replace sensitive values in Plan.JSON: "(sensitive value 0123456789ab)". A fingerprint
	// shows that a value changes. If the key is empty, "(sensitive value)" replaces all sensitive values.
	FingerprintKey []byte
}

// Terraform opens runs. It is safe for concurrent use.
type Terraform struct {
	config  Config
	mirror  *providerMirror
	roots   []byte
	metrics *metrics
	clients clients
	// initialised contains what init wrote in earlier runs.
	initialised initResults
	// free returns the free space in bytes of the file system of dir. Tests replace it.
	free func(dir string) (uint64, error)
}

// New checks the configuration and reads the dependency lock files in the mirror. It also removes the run directories that killed
// processes have left in ScratchDir.
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

// Binary returns the Terraform or OpenTofu binary that runs use.
func (t *Terraform) Binary() Binary { return t.config.Binary }

// ProviderVersions returns the versions of the nutanix provider that runs can use, sorted from the oldest to the newest.
func (t *Terraform) ProviderVersions() []string { return t.mirror.versions() }

// UnusableProviders returns the versions of the nutanix provider that are in the mirror but cannot be used by runs. The value of each
// entry is the reason.
func (t *Terraform) UnusableProviders() map[string]error { return t.mirror.unusable }
