package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// RunOptions contains the inputs of one run.
type RunOptions struct {
	// Files maps slash-separated paths to the contents of the workspace files.
	Files map[string][]byte
	// ProviderVersion is the version of the nutanix provider that the workspace requires. If it is empty, the oldest version in the mirror
	// is used.
	ProviderVersion string
	// Variables contains the values of sensitive variables. On disk, they are only in the plan file, and in a file that exists while a plan
	// or an import reads it.
	Variables map[string]string
	// Secrets contains secrets that the run does not get, but that a server could repeat in a response. Messages do not contain them.
	Secrets []string
	// Env contains additional environment variables, for example the endpoint and the token of a gateway session.
	Env map[string]string
	// CABundle contains PEM certificates that are trusted in addition to the root certificates of the system.
	CABundle []byte
	// MemoryLimit is the GOMEMLIMIT of Terraform and of the provider in MiB, unless the configuration sets another value. Zero means no limit.
	MemoryLimit int
	// StateName is the file name under which RescueStates stores the state of this run.
	StateName string
	// InitKey is equal for runs in which init has the same result, because backend, modules and required versions are equal. One of them
	// runs init, and the others use the files that it wrote. If InitKey is empty, the run runs init.
	InitKey string
	// Responses returns the last error responses that the provider has received, the oldest first. It may be nil.
	Responses func() []Response
}

// Run is one workspace in a private directory. Its methods are safe for concurrent use, and only one of them runs at a time. Callers must
// call Close.
type Run struct {
	terraform *Terraform
	options   RunOptions
	dir       runDir
	held      *os.File
	cli       *tfexec.Terraform
	provider  *provider
	// scrub replaces secrets in messages, and scrubPlan in plans. Only a message can contain what a server has sent: RunOptions.Secrets, or a
	// line of an encoded variable.
	scrub, scrubPlan scrubber

	mutex  sync.Mutex
	closed bool
	// removed is true if the directory was removed. Another run may use a directory of the same name.
	removed bool
	// failed is true if a command failed. A process of that command may still run.
	failed bool
	// stdout and stderr receive the output of the last command.
	stdout, stderr *stream
}

var errClosed = errors.New("using a terraform run: it is closed; open another")

// Open creates the directory of a run, writes the files and initializes the workspace. If an error occurs, Open removes the directory.
func (t *Terraform) Open(ctx context.Context, options RunOptions) (*Run, error) {
	run, err := t.prepare(options)
	if err == nil {
		err = run.initialise(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, run.Close())
	}
	return run, nil
}

// prepare creates the directory and the files of a run without starting a process. Callers must close the returned run, even if prepare
// returns an error.
//
// The directory contains no dependency lock file. With one, commands that do not use the provider would require an installed provider, and
// init does not install a provider that is already running. Run.reattach compares the provider with the lock file in the mirror.
func (t *Terraform) prepare(options RunOptions) (*Run, error) {
	run := &Run{
		terraform: t,
		options:   options,
		scrubPlan: newScrubber(options.Variables, t.config.Env, options.Env),
	}
	run.scrub = run.scrubPlan.with(slices.Concat(options.Secrets, decodedLines(options.Variables)))
	var err error
	if used, ok := t.clients.take(); ok {
		run.dir, run.cli = used.dir, used.cli
		run.held, err = run.dir.create()
	} else {
		run.dir, run.held, err = newRunDir(t.config.ScratchDir)
	}
	if err != nil {
		return run, fmt.Errorf("making a run directory in %s: %w", t.config.ScratchDir, err)
	}
	for path, content := range map[string][]byte{
		run.dir.cliConfig():   cliConfig(t.config.MirrorDir),
		run.dir.trustBundle(): trustBundle(t.roots, options.CABundle),
		run.dir.stateName():   []byte(options.StateName),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return run, fmt.Errorf("preparing a run directory: %w", err)
		}
	}
	if err := run.dir.writeFiles(options.Files); err != nil {
		return run, err
	}
	return run, run.connect()
}

// connect configures the terraform-exec client of the run, and creates it if the run has none.
func (r *Run) connect() error {
	config := r.terraform.config
	if r.cli == nil {
		cli, err := tfexec.NewTerraform(r.dir.workspace(), config.Binary.Path)
		if err != nil {
			return fmt.Errorf("preparing a terraform run: %w", err)
		}
		if err := cli.SetWaitDelay(config.InterruptGrace); err != nil {
			return fmt.Errorf("preparing a terraform run: %w", err)
		}
		r.cli = cli
	}
	if err := r.cli.SetEnv(r.environment()); err != nil {
		return fmt.Errorf("preparing the environment of a terraform run: %w; pass it another way", err)
	}
	return nil
}

// WriteFile adds or replaces a workspace file. name is a slash-separated path relative to the workspace directory.
func (r *Run) WriteFile(name string, content []byte) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.closed {
		return errClosed
	}
	return r.dir.writeFile(name, content)
}

// providerCommand runs one Terraform command that uses the provider of this run.
func (r *Run) providerCommand(ctx context.Context, verb string, do func(ctx context.Context, provider *tfexec.ReattachOption) error) error {
	return r.command(ctx, verb, func(ctx context.Context) error {
		provider, err := r.reattach(ctx)
		if err != nil {
			return err
		}
		return do(ctx, provider)
	})
}

// reattach returns the option with which a command uses the provider of this run. It starts the provider if it is not running.
func (r *Run) reattach(ctx context.Context) (*tfexec.ReattachOption, error) {
	if r.provider == nil || !r.provider.running() {
		path, err := r.terraform.mirror.executable(r.options.ProviderVersion)
		if err != nil {
			return nil, err
		}
		if r.provider, err = startProvider(ctx, path, r.dir.workspace(), r.environment()); err != nil {
			return nil, err
		}
	}
	return tfexec.Reattach(r.provider.reattach), nil
}

func (r *Run) environment() map[string]string {
	return environment(r.terraform.config.Env, r.options.Env, r.dir, r.options.MemoryLimit)
}

// Close waits until a running command has ended. Then it ends the provider, kills the processes that the command has left in the
// directory, and removes the directory. Close may be called more than once.
func (r *Run) Close() error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.closed = true
	if r.dir == "" || r.removed {
		return nil
	}
	if r.provider != nil {
		r.provider.close()
		r.terraform.metrics.ended(providerVerb)
	}
	KillLeftovers(string(r.dir))
	err := os.RemoveAll(string(r.dir))
	if r.held != nil {
		err = errors.Join(err, r.held.Close())
		r.held = nil
	}
	if err != nil {
		return fmt.Errorf("removing run directory %s: %w", r.dir, err)
	}
	r.removed = true
	if r.cli != nil && !r.failed {
		r.terraform.clients.put(client{r.dir, r.cli})
	}
	return nil
}
