// Package scenario tests CAPNT end to end. Prism Central and the guests are simulated, and all other components are
// real. All scenarios share one stack and run in parallel, except scenarios that change Prism Central or the manager
// for all clusters.
package scenario

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/stack"
	"github.com/capnt/capnt/internal/toolbox"
	"github.com/capnt/capnt/internal/toolbox/freeport"
)

// password is the Prism Central password in the manifests. The scenarios verify that logs, objects and metrics do not
// contain it.
const password = "your-password"

// createDuration is how long the simulated Prism Central takes to create a VM.
const createDuration = time.Second

// absencePeriod is how long Prism Central must report a VM as missing before the manager confirms that the VM is
// absent. The period is longer than any delay of a create in the scenarios.
var absencePeriod = flag.Duration("absence-period", 30*time.Second, "how long Prism Central must report a VM as missing")

// diagnostics is the address at which the manager serves its metrics without authentication.
var diagnostics string

// testStack is the stack that all scenarios share.
var testStack *stack.Stack

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "capnt-")
	if err != nil {
		return fail(err)
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			code = fail(err)
		}
	}()
	options, err := options(dir)
	if err != nil {
		return fail(err)
	}
	if testStack, err = stack.Start(context.Background(), options); err != nil {
		return fail(err)
	}
	testStack.Prism.RecordBodies(true)
	code = m.Run()
	if err := checkNoPowerOff(); err != nil {
		code = fail(err)
	}
	if err := waitForNoProcesses(); err != nil {
		code = fail(err)
	}
	if err := testStack.Close(); err != nil {
		return fail(err)
	}
	return code
}

// waitForNoProcesses waits until no run directory and no guest is left. All clusters are already deleted at this point,
// but some guests may still be stopping.
func waitForNoProcesses() error {
	ctx, cancel := context.WithTimeout(context.Background(), scenarioTimeout)
	defer cancel()
	return testStack.Env.Wait(ctx, "all runs and guests to end", func(context.Context) (bool, string, error) {
		left, err := testStack.LeftOnMachine()
		return len(left) == 0, strings.Join(left, ", "), err
	})
}

func options(dir string) (stack.Options, error) {
	network, err := stack.FreeNetwork()
	if err != nil {
		return stack.Options{}, err
	}
	repository := filepath.Dir(toolbox.Dir())
	content, err := os.ReadFile(filepath.Join(repository, "e2e/prismsim/testdata/inventory.yaml"))
	if err != nil {
		return stack.Options{}, err
	}
	inventory, err := prismsim.ParseInventory([]byte(network.Move(string(content))))
	if err != nil {
		return stack.Options{}, err
	}
	ports, err := freeport.Find("127.0.0.1", 1)
	if err != nil {
		return stack.Options{}, err
	}
	diagnostics = fmt.Sprintf("127.0.0.1:%d", ports[0])
	return stack.Options{
		Dir: dir, Repository: repository, Network: network, Inventory: inventory,
		Credentials: stack.Credentials{Username: "admin", Password: password},
		Latency:     stack.Latencies(createDuration),
		ManagerArgs: []string{"--health-check-interval=10s", "--absence-period=" + absencePeriod.String(), "--insecure-diagnostics",
			"--diagnostics-address=" + diagnostics, "--audit-log-path=" + filepath.Join(dir, auditLog)},
		Log: transcript(), RenumberedProvider: true,
	}, nil
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "scenarios:", err)
	return 1
}
