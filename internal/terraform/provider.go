package terraform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// provider is the process of the nutanix provider in one run. All commands of the run use it. Terraform would start a provider several
// times in each command. A provider never serves two runs, because it has one configuration.
//
// Terraform does not verify the binary of a provider that it did not start, so the mirror verifies it.
type provider struct {
	path     string
	reattach tfexec.ReattachInfo
	kill     func()
	ended    chan struct{}
	stderr   crashLog
}

// These variables tell the provider that it is started by a client of the plugin protocol, and the versions of the protocol that Terraform
// supports. See https://github.com/hashicorp/go-plugin/blob/main/docs/internals.md.
var pluginEnvironment = []string{
	"TF_PLUGIN_MAGIC_COOKIE=d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
	"PLUGIN_PROTOCOL_VERSIONS=5,6",
}

// providerStart limits the time until a provider accepts connections. Terraform has the same limit.
const providerStart = time.Minute

// startProvider starts the executable at path. It returns when the provider accepts connections. The caller must call close on the result.
// The provider listens on a Unix socket in the temporary directory of the run, which only the current user can read.
func startProvider(ctx context.Context, path, dir string, env map[string]string) (*provider, error) {
	p := &provider{path: path, ended: make(chan struct{})}
	greeting := &firstLine{line: make(chan string, 1)}
	command := exec.Command(path)
	command.Dir = dir
	command.Env = slices.Clone(pluginEnvironment)
	for key, value := range env {
		command.Env = append(command.Env, key+"="+value)
	}
	command.Stdout, command.Stderr = greeting, &p.stderr
	command.SysProcAttr = killedWithThread()
	started := make(chan error)
	go func() {
		// The kernel kills the provider when this thread ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait()
		}
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting the provider: %w", err)
	}
	p.kill = func() { _ = command.Process.Kill() }
	timeout := time.NewTimer(providerStart)
	defer timeout.Stop()
	var err error
	select {
	case line := <-greeting.line:
		p.reattach, err = reattachInfo(line, command.Process.Pid)
	case <-p.ended:
		err = errors.New("it ended before it accepted connections")
	case <-timeout.C:
		err = errors.New("timeout while waiting for plugin to start")
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("starting the provider %s: %w", path, err)
	}
	return p, nil
}

// reattachInfo returns what Terraform needs to connect to a provider. line is the first line that the provider printed. Its fields are the
// version of go-plugin's protocol, the version of the provider protocol, the network, the address and "grpc".
func reattachInfo(line string, pid int) (tfexec.ReattachInfo, error) {
	fields := strings.Split(strings.TrimSpace(line), "|")
	if len(fields) < 5 || fields[4] != "grpc" {
		return nil, fmt.Errorf("it is not a Terraform provider: it printed %q", line)
	}
	version, err := strconv.Atoi(fields[1])
	if err != nil {
		return nil, fmt.Errorf("it printed %q: %w", line, err)
	}
	return tfexec.ReattachInfo{ProviderSource: {
		Protocol: fields[4], ProtocolVersion: version, Pid: pid,
		Test: true, // Terraform does not end the provider
		Addr: tfexec.ReattachConfigAddr{Network: fields[2], String: fields[3]},
	}}, nil
}

// close kills the provider and waits until it has ended. A provider has no state that it would have to write.
func (p *provider) close() {
	p.kill()
	<-p.ended
}

// running reports whether the provider has not ended.
func (p *provider) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// firstLine sends the first line that is written to it to line, and discards the rest.
type firstLine struct {
	line chan string
	text []byte
	sent bool
}

func (w *firstLine) Write(output []byte) (int, error) {
	if w.sent {
		return len(output), nil
	}
	w.text = append(w.text, output...)
	if line, _, complete := bytes.Cut(w.text, []byte("\n")); complete {
		w.line <- string(line)
		w.sent, w.text = true, nil
	}
	return len(output), nil
}

// crashLog keeps the beginning of the stack trace of a crash, and discards everything before it.
type crashLog struct {
	mutex   sync.Mutex
	text    []byte
	crashed bool
}

var crashBegins = []byte("panic: ")

func (w *crashLog) Write(output []byte) (int, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.text = append(w.text, output...)
	if begin := bytes.Index(w.text, crashBegins); !w.crashed && begin >= 0 {
		w.text, w.crashed = w.text[begin:], true
	}
	limit := outputLimit
	if !w.crashed {
		limit = len(crashBegins)
		w.text = w.text[max(0, len(w.text)-limit):]
	}
	w.text = w.text[:min(len(w.text), limit)]
	return len(output), nil
}

// trace returns the stack trace of a crash as Terraform prints it for providers that it has started, or an empty string.
func (w *crashLog) trace() string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if !w.crashed {
		return ""
	}
	return "\n\nStack trace from the provider:\n\n" + string(w.text)
}
