// Package scenario proves what CAPNT does for its users, with real parts: each test is one scenario, named for what it
// proves. All run on one stack; those that need Prism Central for themselves run alone, the others side by side.
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

// password is the one of the manifests, by which leaks are searched for.
const password = "your-password"

// creation is how long the simulated Prism Central takes for a virtual machine.
const creation = time.Second

// absencePeriod is how long Prism Central must not find a VM before its absence is confirmed. The windows of the scenarios in which creates
// are under way are shorter.
const absencePeriod = 30 * time.Second

// diagnostics is where the manager serves its metrics, to everybody.
var diagnostics string

// world is the stack that all scenarios share.
var world *stack.Stack

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
	if world, err = stack.Start(context.Background(), options); err != nil {
		return fail(err)
	}
	world.Prism.RecordBodies(true)
	code = m.Run()
	if err := nothingSwitchedOff(); err != nil {
		code = fail(err)
	}
	if err := nothingOnMachine(); err != nil {
		code = fail(err)
	}
	if err := world.Close(); err != nil {
		return fail(err)
	}
	return code
}

// nothingOnMachine proves that nothing is left of runs and guests even before the stack is closed, because all clusters are deleted. Guests
// are told to end when their virtual machine is gone already, so the last ones may take a moment.
func nothingOnMachine() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return world.Env.Wait(ctx, "nothing to be left on this machine", func(context.Context) (bool, string, error) {
		left, err := world.LeftOnMachine()
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
		Latency:     stack.Latencies(creation),
		ManagerArgs: []string{"--health-check-interval=10s", "--absence-period=" + absencePeriod.String(), "--insecure-diagnostics", "--diagnostics-address=" + diagnostics},
		Log:         transcript(),
	}, nil
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "scenarios:", err)
	return 1
}
