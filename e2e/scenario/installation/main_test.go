// Package installation tests management clusters whose machines have VMs but no Kubernetes nodes. The tests verify that
// runs of Terraform end before the controllers report an object as paused, and that an installation of CAPNT neither
// changes nor deletes the VMs of another installation.
package installation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/stack"
	"github.com/capnt/capnt/internal/toolbox"
)

// patience limits the duration of a test. The limit is high because the tests may run on a slow machine.
const patience = 15 * time.Minute

// served is the name of an environment variable. If it is set, the test binary does not run tests: it serves an
// installation and stores the files of the installation in the directory that the variable contains. A second
// management cluster needs a separate process, because Cluster API keeps state in package variables.
const served = "CAPNT_TEST_INSTALLATION"

// testStack is the stack of the first installation. Its Prism Central serves both installations.
var testStack *stack.Stack

func TestMain(m *testing.M) {
	run := func() (int, error) { return test(m) }
	if dir := os.Getenv(served); dir != "" {
		run = func() (int, error) { return 0, serve(dir) }
	}
	code, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "installation:", err)
		code = 1
	}
	os.Exit(code)
}

func test(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "capnt-") // shorter than t.TempDir: sockets of providers are in it
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	options, err := options(dir)
	if err != nil {
		return 0, err
	}
	content, err := os.ReadFile(filepath.Join(options.Repository, "e2e/prismsim/testdata/inventory.yaml"))
	if err != nil {
		return 0, err
	}
	if options.Inventory, err = prismsim.ParseInventory([]byte(options.Network.Move(string(content)))); err != nil {
		return 0, err
	}
	// The manager has memory for one run at a time, so that a second run is queued.
	options.ManagerArgs = append(options.ManagerArgs, "--run-memory=120")
	if testStack, err = stack.Start(context.Background(), options); err != nil {
		return 0, err
	}
	testStack.Prism.RecordBodies(true)
	code = m.Run()
	return code, testStack.Close()
}

// serve starts an installation without a Prism Central and stops it when standard input is closed. When the
// installation is ready, serve prints the path of its kubeconfig to standard output.
func serve(dir string) error {
	options, err := options(dir)
	if err != nil {
		return err
	}
	options.WithoutPrism = true
	s, err := stack.Start(context.Background(), options)
	if err != nil {
		return err
	}
	fmt.Println(s.Env.Kubeconfig())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return s.Close()
}

func options(dir string) (stack.Options, error) {
	network, err := stack.FreeNetwork()
	if err != nil {
		return stack.Options{}, err
	}
	began := time.Now()
	return stack.Options{
		Dir: dir, Repository: filepath.Dir(toolbox.Dir()), Network: network, WithoutGuests: true,
		Credentials: stack.Credentials{Username: "admin", Password: "your-password"}, Latency: stack.Latencies(time.Second),
		ManagerArgs: []string{
			"--health-check-interval=5s", "--gitops-accounts=" + fluxAccount, "--audit-log-path=" + filepath.Join(dir, auditLogName),
		},
		Log: funcr.New(func(_, line string) {
			fmt.Fprintf(os.Stderr, "%7.1fs  %s\n", time.Since(began).Seconds(), line)
		}, funcr.Options{}),
	}, nil
}
