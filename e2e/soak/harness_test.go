package soak

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/stack"
	"github.com/capnt/capnt/internal/toolbox"
)

const (
	namespace   = "soak"
	clusterName = "soak"
	password    = "your-password"
	// creation is how long Prism Central takes to create a VM.
	creation = time.Second
	tick     = 250 * time.Millisecond
	// startTimeout limits the start of the stack and each start of a manager. The limit is high because the tests may run
	// on a slow machine.
	startTimeout = 10 * time.Minute
	// progressInterval is how often a phase logs what is missing.
	progressInterval = time.Minute
	// A phase may take phaseBase plus phasePerKill for each kill.
	phaseBase    = 20 * time.Minute
	phasePerKill = time.Minute
)

// harness creates, updates and deletes machines on a stack, and kills processes at the same time.
type harness struct {
	*stack.Stack
	t           testing.TB
	interceptor *interceptor
	machines    []string

	killed int
	counts map[string]int
}

// newHarness starts a stack with a cluster. The machines of the cluster are not created yet.
func newHarness(t testing.TB, machines int) *harness {
	t.Helper()
	h := &harness{t: t, counts: map[string]int{}}
	for i := range machines {
		h.machines = append(h.machines, fmt.Sprintf("machine-%02d", i+1))
	}
	network, err := stack.FreeNetwork()
	require.NoError(t, err)
	repository := filepath.Dir(toolbox.Dir())
	content, err := os.ReadFile(filepath.Join(repository, "e2e/prismsim/testdata/inventory.yaml"))
	require.NoError(t, err)
	inventory, err := prismsim.ParseInventory([]byte(network.Move(string(content))))
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "capnt-") // t.TempDir is too long for the sockets of providers
	require.NoError(t, err)
	// The stack uses this context after Start has returned, so the context must not be cancelled when Start returns.
	h.Stack, err = stack.Start(context.Background(), stack.Options{
		Dir: dir, Repository: repository, Network: network, Inventory: inventory, WithoutGuests: true,
		Credentials: stack.Credentials{Username: "admin", Password: password},
		Latency:     stack.Latencies(creation), ManagerArgs: managerArgs, Log: logr.Discard(), SecondAnswers: true,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, h.Close())
		require.NoError(t, os.RemoveAll(dir))
	})
	h.Prism.ChangeRules(func(rules *prismsim.Rules) { rules.ListLag = prismsim.Duration(listLag) })
	h.interceptor = newInterceptor(t, h.Prism)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	h.createCluster(ctx)
	return h
}

// managerArgs are additional flags of the manager.
var managerArgs = []string{"--health-check-interval=5s", "--absence-period=" + absencePeriod.String()}

// during executes the kills of a phase until done returns an empty string. Until then, done returns a description of
// what is missing.
func (h *harness) during(name string, kills []kill, done func(context.Context) string) {
	h.t.Helper()
	timeout := phaseBase + time.Duration(len(kills))*phasePerKill
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	began, armed, last, missing, logged := time.Now(), false, time.Now(), "", time.Now()
	for {
		select {
		case hit := <-h.interceptor.triggered:
			armed = false
			if h.execute(ctx, hit) {
				kills = kills[1:]
			}
			last = time.Now()
		case <-ticker.C:
			if ctx.Err() != nil {
				continue
			}
			if missing = done(ctx); missing == "" {
				if armed && !h.interceptor.disarm() {
					armed = false
					continue // a request has triggered the kill in the meantime
				}
				h.t.Logf("%s: done after %s, %d kills not triggered", name, time.Since(began).Round(time.Second), len(kills))
				h.requireNoStaleLock()
				return
			}
			if time.Since(logged) > progressInterval {
				h.t.Logf("%s: after %s: %s", name, time.Since(began).Round(time.Second), missing)
				logged = time.Now()
			}
			if !armed && len(kills) > 0 && time.Since(last) >= kills[0].pause {
				h.interceptor.arm(kills[0])
				armed = true
			}
		case <-ctx.Done():
			h.fail("%s is not done after %s: %s", name, timeout, missing)
		}
	}
}

// execute kills the victim. It returns false if the victim is not running.
func (h *harness) execute(ctx context.Context, hit trigger) bool {
	h.t.Helper()
	// release lets the interceptor continue with the request, while the new manager starts or later.
	release := func() { close(hit.done) }
	switch hit.kill.victim {
	case manager:
		require.NoError(h.t, h.Env.KillManager())
		defer h.startManager(ctx)
	case terraform:
		if !h.killTerraform(hit.vm) {
			release()
			return false
		}
	}
	if hit.kill.after || hit.kill.lost {
		release()
	} else {
		time.AfterFunc(hit.kill.hold, release)
	}
	h.killed++
	h.counts[fmt.Sprintf("%s at %s", hit.kill.victim, hit.kill.request)]++
	h.t.Logf("%s (VM %q)", hit.kill, hit.vm)
	return true
}

func (h *harness) startManager(ctx context.Context) {
	h.t.Helper()
	require.NoError(h.t, h.StartManager(ctx))
}

// killTerraform kills the Terraform process of the run for the VM named vm, or any Terraform process if there is no
// such run. It waits until the process has exited. It returns false if no process was killed.
func (h *harness) killTerraform(vm string) bool {
	h.t.Helper()
	running := runs(h.Env.ScratchDir(), h.Tool("bin/terraform"))
	if len(running) == 0 {
		return false
	}
	chosen := running[0]
	for _, run := range running {
		if vm != "" && run.of(vm) {
			chosen = run
		}
	}
	if syscall.Kill(chosen.pid, syscall.SIGKILL) != nil {
		return false
	}
	require.NoError(h.t, h.Env.Wait(context.Background(), "a killed Terraform to be gone", func(context.Context) (bool, string, error) {
		return !alive(chosen.pid), "", nil
	}))
	return true
}

// fail prints the objects and the logs of the stack, and then fails the test with the formatted message.
func (h *harness) fail(format string, args ...any) {
	h.t.Helper()
	h.t.Log(h.Explanation())
	h.t.Fatalf(format, args...)
}

func (h *harness) summary() string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(h.counts)) {
		lines = append(lines, fmt.Sprintf("%s: %d", name, h.counts[name]))
	}
	return fmt.Sprintf("%d kills: %s", h.killed, strings.Join(lines, ", "))
}
