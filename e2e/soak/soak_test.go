package soak

import (
	"flag"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	machineCount  = flag.Int("machines", 4, "number of machines that are created, updated and deleted")
	killCount     = flag.Int("kills", 6, "number of SIGKILLs of the manager or of Terraform")
	otherFaults   = flag.String("faults", "provider,container,apiserver", "other kinds of faults, each of which occurs at least once")
	otherEvery    = flag.Int("every", 2, "one of the other faults precedes every n-th kill")
	outage        = flag.Duration("outage", 3*time.Second, "how long the API server of the management cluster is unavailable")
	createLatency = flag.Duration("create-latency", time.Second, "how long Prism Central takes to create a VM")
	seedFlag      = flag.Uint64("seed", 0, "seed of the faults; 0 takes the time")
)

// killsPerRound limits the number of kills in one round of create, update and delete. The limit is high enough to cover
// every kind of request, and low enough that runs make progress between the kills.
const killsPerRound = 30

// maxRounds limits the number of rounds for each killsPerRound kills. A phase may end before all its faults were triggered, so more
// than one round may be necessary.
const maxRounds = 10

const (
	// pausePerMachine limits the time between two faults, multiplied by the number of machines. Few machines send their requests within
	// a few seconds.
	pausePerMachine = time.Second / 2
	// listLag is how long a change takes to appear in the lists of Prism Central.
	listLag = 2 * time.Second
	// maxHold limits how long the interceptor delays a request whose sender was killed.
	maxHold = 6 * time.Second
	// absencePeriod is longer than maxHold plus listLag, because a VM may be missing from the lists for that long although
	// it was created. The default of the manager's flag is also longer than such delays in practice.
	absencePeriod = 15 * time.Second
)

// phases contains the phases of a round in order. In each phase, the first kind of request changes a VM and triggers at
// least half of the faults, on average.
var phases = []struct {
	name     string
	share    float64 // fraction of the kills of a round
	requests []string
}{
	{"create", 0.4, []string{kindCreate, kindTask, kindRead, kindList}},
	{"update", 0.25, []string{kindUpdate, kindTask, kindRead}},
	{"delete", 0.35, []string{kindDelete, kindTask, kindRead}},
}

// TestFaultsLeaveExactlyTheWantedVMs creates, updates and deletes machines while faults occur at random requests. The
// manager runs with leader election in odd rounds if there are faults of kind leader. After each phase, Prism
// Central must contain exactly the VMs of the machines, the cluster must contain exactly the states of these VMs, no state
// may be locked, and no process may be left over. No VM may be created twice, switched off, or deleted while its Machine
// exists. No manual repair may be necessary.
func TestFaultsLeaveExactlyTheWantedVMs(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d: -seed=%d -machines=%d -kills=%d -faults=%s -every=%d -outage=%s repeats the faults",
		seed, seed, *machineCount, *killCount, *otherFaults, *otherEvery, *outage)
	h := newHarness(t, *machineCount)
	p := planner{random: rand.New(rand.NewPCG(seed, seed))}
	for _, name := range strings.Split(*otherFaults, ",") {
		require.Contains(t, []victim{provider, container, pod, leader, apiServer}, victim(name), "-faults")
		p.others = append(p.others, victim(name))
	}
	for round := 1; h.killed < *killCount || h.rarest(p.others) == 0; round++ {
		require.LessOrEqual(t, round, maxRounds*(*killCount/killsPerRound+1), "too few requests triggered a fault")
		h.setElection(round%2 == 1 && slices.Contains(p.others, leader))
		quota := min(*killCount-h.killed, killsPerRound)
		for _, phase := range phases {
			n := min(max(1, int(phase.share*float64(quota)+0.5)), *killCount-h.killed)
			faults := p.plan(phase.requests, h, n)
			t.Logf("round %d, %s: %d faults", round, phase.name, len(faults))
			switch phase.name {
			case "create":
				h.create(faults)
			case "update":
				h.update(faults)
			case "delete":
				h.delete(faults)
			}
		}
	}
	h.deleteCluster()
	t.Logf("%s", h.result())
}

// These are the kinds of requests to Prism Central.
const (
	kindCreate = "create"
	kindUpdate = "update"
	kindDelete = "delete"
	kindRead   = "read"
	kindTask   = "task"
	kindList   = "list"
	kindOther  = "other"
)

// kindOf returns the kind of a request and the UUID of the VM in the path. The UUID is empty if the path contains none.
func kindOf(method, path string) (kind, uuid string) {
	const vms, tasks = "/api/nutanix/v3/vms", "/api/nutanix/v3/tasks/"
	switch {
	case method == http.MethodPost && path == vms:
		return kindCreate, ""
	case method == http.MethodPost && len(path) > 5 && path[len(path)-5:] == "/list":
		return kindList, ""
	case len(path) > len(tasks) && path[:len(tasks)] == tasks:
		return kindTask, ""
	case len(path) > len(vms)+1 && path[:len(vms)+1] == vms+"/":
		uuid = path[len(vms)+1:]
	default:
		return kindOther, ""
	}
	switch method {
	case http.MethodPut:
		return kindUpdate, uuid
	case http.MethodDelete:
		return kindDelete, uuid
	}
	return kindRead, uuid
}
