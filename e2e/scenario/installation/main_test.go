// Package installation proves what needs management clusters with VMs and no Kubernetes nodes: that runs end before an object is paused,
// and that two installations of CAPNT respect each other's VMs.
package installation

import (
	"context"
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

// patience bounds a test, for machines that are slow.
const patience = 15 * time.Minute

// served is the environment variable with the directory of an installation that this program serves instead of running tests. Cluster API
// keeps state in package variables, so that a further management cluster needs a process of its own.
const served = "CAPNT_TEST_INSTALLATION"

// testStack is the stack of the first installation, with Prism Central.
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
	defer os.RemoveAll(dir)
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
	// One run at a time, so that a second one is queued.
	options.ManagerArgs = append(options.ManagerArgs, "--max-runs=1")
	if testStack, err = stack.Start(context.Background(), options); err != nil {
		return 0, err
	}
	code = m.Run()
	return code, testStack.Close()
}

// serve runs an installation without a Prism Central until the standard input ends. It says on the standard output when it is ready.
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
		ManagerArgs: []string{"--health-check-interval=5s"},
		Log: funcr.New(func(_, line string) {
			fmt.Fprintf(os.Stderr, "%7.1fs  %s\n", time.Since(began).Seconds(), line)
		}, funcr.Options{}),
	}, nil
}
