package soak

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	tick        = 250 * time.Millisecond
	// startTimeout limits the start of the stack and each start of a manager. The limit is high because the tests may run
	// on a slow machine.
	startTimeout = 10 * time.Minute
	// progressInterval is how often a phase logs what is missing.
	progressInterval = time.Minute
	// A phase may take phaseBase plus phasePerFault for each fault.
	phaseBase     = 20 * time.Minute
	phasePerFault = time.Minute
)

// harness creates, updates and deletes machines on a stack, and causes faults at the same time.
type harness struct {
	*stack.Stack
	t           testing.TB
	interceptor *interceptor
	machines    []string

	// election is true if the manager runs with leader election. second is true if it uses the second gateway address.
	election, second bool

	killed int
	// counts contains the number of faults by victim, and summary by victim and request.
	counts  map[victim]int
	summary map[string]int
}

// newHarness starts a stack with a cluster. The machines of the cluster are not created yet. The manager has managerArgs and flags.
func newHarness(t testing.TB, machines int, flags ...string) *harness {
	t.Helper()
	h := &harness{t: t, counts: map[victim]int{}, summary: map[string]int{}}
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
		Latency:     stack.Latencies(*createLatency), ManagerArgs: slices.Concat(managerArgs, flags), Log: logr.Discard(), SecondAnswers: true,
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

// electionFlags are the flags of a manager with leader election. The periods are shorter than the defaults, so that each
// restarted manager soon becomes the leader.
var electionFlags = []string{"--leader-elect", "--leader-elect-lease-duration=8s", "--leader-elect-renew-deadline=6s", "--leader-elect-retry-period=1s"}

// setElection restarts the manager with or without leader election, if necessary.
func (h *harness) setElection(election bool) {
	h.t.Helper()
	if h.election == election {
		return
	}
	h.election = election
	require.NoError(h.t, h.Env.StopManager())
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	h.startManager(ctx)
}

func (h *harness) startManager(ctx context.Context) {
	h.t.Helper()
	var flags []string
	if h.election {
		flags = slices.Clone(electionFlags)
	}
	if h.second {
		flags = append(flags, "--gateway-address="+h.Options().Network.SecondGateway())
	}
	require.NoError(h.t, h.StartManagerWith(ctx, flags...))
}

// restartManager starts the manager again if it has exited because it could not renew its Lease, as a kubelet does. A
// manager without leader election must not exit.
func (h *harness) restartManager(ctx context.Context) {
	h.t.Helper()
	if h.Env.ManagerRuns() {
		return
	}
	if !h.election {
		h.fail("the manager has exited")
	}
	h.t.Log("the manager has exited and is started again")
	h.startManager(ctx)
}

// during causes the faults of a phase until done returns an empty string. Until then, done returns a description of what is
// missing.
func (h *harness) during(name string, faults []fault, done func(context.Context) string) {
	h.t.Helper()
	timeout := phaseBase + time.Duration(len(faults))*phasePerFault
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
				faults = faults[1:]
			}
			last = time.Now()
		case <-ticker.C:
			if ctx.Err() != nil {
				continue
			}
			h.restartManager(ctx)
			if missing = done(ctx); missing == "" {
				if armed && !h.interceptor.disarm() {
					armed = false
					continue // a request has triggered the fault in the meantime
				}
				h.t.Logf("%s: done after %s, %d faults not triggered", name, time.Since(began).Round(time.Second), len(faults))
				h.requireNoStaleLock()
				h.requireNoStaleProcess()
				return
			}
			if time.Since(logged) > progressInterval {
				h.t.Logf("%s: after %s: %s", name, time.Since(began).Round(time.Second), missing)
				logged = time.Now()
			}
			if !armed && len(faults) > 0 && time.Since(last) >= faults[0].pause {
				h.interceptor.arm(faults[0])
				armed = true
			}
		case <-ctx.Done():
			h.fail("%s is not done after %s: %s", name, timeout, missing)
		}
	}
}

// execute causes the fault and waits for its end. It returns false if the victim is not running.
func (h *harness) execute(ctx context.Context, hit trigger) bool {
	h.t.Helper()
	h.restartManager(ctx)
	began := time.Now()
	end, ok := h.begin(ctx, hit.fault, hit.vm)
	// release lets the interceptor continue with the request, while the fault lasts or later.
	release := func() { close(hit.done) }
	if !ok || hit.fault.after || hit.fault.lost {
		release()
	} else {
		time.AfterFunc(hit.fault.hold, release)
	}
	if !ok {
		return false
	}
	end(ctx)
	if hit.fault.victim.kill() {
		h.killed++
	}
	h.counts[hit.fault.victim]++
	h.summary[fmt.Sprintf("%s at %s", hit.fault.victim, hit.fault.request)]++
	h.t.Logf("kill %d: %s (VM %q), ended after %s", h.killed, hit.fault, hit.vm, time.Since(began).Round(100*time.Millisecond))
	return true
}

// rarest returns how often the rarest of the faults has occurred.
func (h *harness) rarest(victims []victim) int {
	counts := make([]int, 0, len(victims))
	for _, victim := range victims {
		counts = append(counts, h.counts[victim])
	}
	return slices.Min(counts)
}

// fail prints the objects and the logs of the stack, and then fails the test with the formatted message.
func (h *harness) fail(format string, args ...any) {
	h.t.Helper()
	h.t.Log(h.Explanation())
	h.t.Fatalf(format, args...)
}

// result describes the faults that have occurred.
func (h *harness) result() string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(h.summary)) {
		lines = append(lines, fmt.Sprintf("%s: %d", name, h.summary[name]))
	}
	return fmt.Sprintf("%d kills, faults: %s", h.killed, strings.Join(lines, ", "))
}
