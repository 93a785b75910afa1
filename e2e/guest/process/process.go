// Package process runs child processes that never outlive their parent: the kernel kills a child when the parent exits
// (see attributes_linux.go). The output of a child is written to a file.
package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Spec describes a child process.
type Spec struct {
	// Name identifies the process in error messages.
	Name string
	// Path is the path of the executable.
	Path string
	Args []string
	// Env contains environment variables in addition to those of the parent.
	Env []string
	// Dir is the working directory of the child. If it is empty, the child uses the working directory of the parent.
	Dir string
	// Log is the path of the file to which standard output and standard error are appended.
	Log string
}

// Process is a child process that was started.
type Process struct {
	spec Spec
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start starts the child. The caller must stop the child with Kill or Stop.
func Start(spec Spec) (*Process, error) {
	if err := os.MkdirAll(filepath.Dir(spec.Log), 0o700); err != nil {
		return nil, fmt.Errorf("starting %s: creating the directory of its log: %w", spec.Name, err)
	}
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("starting %s: opening its log: %w", spec.Name, err)
	}
	defer func() { _ = log.Close() }()

	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Dir = spec.Dir
	cmd.Env = append(os.Environ(), spec.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = attributes()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	p := &Process{spec: spec, cmd: cmd, done: make(chan struct{})}
	running.add(p)
	go func() {
		p.err = cmd.Wait()
		running.remove(p)
		close(p.done)
	}()
	return p, nil
}

// Name returns the name of the process in its Spec.
func (p *Process) Name() string { return p.spec.Name }

// PID returns the process ID of the child.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log returns the path of the file with the child's output.
func (p *Process) Log() string { return p.spec.Log }

// Done returns a channel that is closed when the child has exited and has been reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns the error with which the child exited, or nil if its exit code was 0. It must be called only after the
// channel Done is closed.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Kill kills the child with SIGKILL and waits until the child has been reaped.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Stop sends SIGTERM to the child. If the child has not exited after grace, Stop kills it. Stop returns the error with
// which the child exited, or an error that says that the child had to be killed.
func (p *Process) Stop(grace time.Duration) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping %s: %w", p.spec.Name, err)
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		if ended := new(exec.ExitError); errors.As(p.err, &ended) {
			// Some programs clean up after SIGTERM and then terminate themselves with the same signal. This is a success.
			if status, ok := ended.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGTERM {
				return nil
			}
		}
		return p.err
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("stopping %s: it did not end within %s and was killed", p.spec.Name, grace)
	}
}

// running contains all children of this process that have not exited.
var running = &table{processes: map[*Process]struct{}{}}

type table struct {
	mu        sync.Mutex
	processes map[*Process]struct{}
}

func (t *table) add(p *Process) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.processes[p] = struct{}{}
}

func (t *table) remove(p *Process) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.processes, p)
}

// Running returns the names of all children that have not exited. Tests use it to assert that no child is left.
func Running() []string {
	running.mu.Lock()
	defer running.mu.Unlock()
	names := make([]string, 0, len(running.processes))
	for p := range running.processes {
		names = append(names, fmt.Sprintf("%s (pid %d)", p.Name(), p.PID()))
	}
	return names
}
