package soak

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	machineCount = flag.Int("machines", 4, "number of machines that are created, updated and deleted")
	killCount    = flag.Int("kills", 6, "number of SIGKILLs of the manager or of Terraform")
	seedFlag     = flag.Uint64("seed", 0, "seed of the kills; 0 takes the time")
)

// killsPerRound limits the number of kills in one round of create, update and delete. The limit is high enough to cover
// every kind of request, and low enough that runs make progress between the kills.
const killsPerRound = 30

const (
	// maxPause limits the time between two kills.
	maxPause = 10 * time.Second
	// listLag is how long a change takes to appear in the lists of Prism Central.
	listLag = 2 * time.Second
	// maxHold limits how long the interceptor delays a request whose sender was killed.
	maxHold = 6 * time.Second
	// absencePeriod is longer than maxHold plus listLag, because a VM may be missing from the lists for that long although
	// it was created. The default of the manager's flag is also longer than such delays in practice.
	absencePeriod = 15 * time.Second
)

// victim is the kind of process that is killed.
type victim string

const (
	manager   victim = "manager"
	terraform victim = "terraform"
)

// kill describes a planned SIGKILL, which is sent when a matching request is sent to Prism Central.
type kill struct {
	number int
	victim victim
	// request is the kind of request that triggers the kill; see kindOf.
	request string
	// If after is false, the victim is killed before the request reaches Prism Central. If after is true, the victim is
	// killed after Prism Central has responded, but before the response reaches the victim.
	after bool
	// lost is used only if after is false. If lost is true, the request never reaches Prism Central. Otherwise, the
	// request reaches Prism Central after the duration hold, when a new manager may already be running.
	lost bool
	hold time.Duration
	// pause is the minimum time between the previous kill and this one. Before the pause has passed, requests do not
	// trigger this kill.
	pause time.Duration
}

func (k kill) String() string {
	moment := fmt.Sprintf("which arrives %s later", k.hold)
	switch {
	case k.after:
		moment = "after Prism Central has responded"
	case k.lost:
		moment = "which never arrives"
	}
	return fmt.Sprintf("kill %d: SIGKILL of %s at a %s request, %s", k.number, k.victim, k.request, moment)
}

// phases contains the phases of a round in order. In each phase, the first kind of request changes a VM and triggers at
// least half of the kills, on average.
var phases = []struct {
	name     string
	share    float64 // fraction of the kills of a round
	requests []string
}{
	{"create", 0.4, []string{kindCreate, kindTask, kindRead, kindList}},
	{"update", 0.25, []string{kindUpdate, kindTask, kindRead}},
	{"delete", 0.35, []string{kindDelete, kindTask, kindRead}},
}

// randomUpTo returns a random duration below limit, in whole tenths of a second.
func randomUpTo(random *rand.Rand, limit time.Duration) time.Duration {
	return time.Duration(random.IntN(int(limit/(100*time.Millisecond)))) * 100 * time.Millisecond
}

// plan returns n random kills for a phase, numbered from first. On average, at least half of them use the first kind
// of request.
func plan(random *rand.Rand, requests []string, first, n int) []kill {
	kills := make([]kill, 0, n)
	for i := range n {
		k := kill{number: first + i, victim: manager, request: requests[0], after: random.IntN(2) == 0, lost: random.IntN(2) == 0,
			hold: randomUpTo(random, maxHold), pause: randomUpTo(random, maxPause)}
		if random.IntN(2) == 0 {
			k.victim = terraform
		}
		if random.IntN(2) == 0 {
			k.request = requests[random.IntN(len(requests))]
		}
		kills = append(kills, k)
	}
	return kills
}

// TestKillsLeaveExactlyTheWantedVMs creates, updates and deletes machines while it kills the manager and Terraform at
// random requests. After each phase, Prism Central must contain exactly the VMs of the machines, the cluster must
// contain exactly the states of these VMs, and no state may be locked. No VM may be created twice, switched off, or
// deleted while its Machine exists. No manual repair may be necessary.
func TestKillsLeaveExactlyTheWantedVMs(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d: -seed=%d -machines=%d -kills=%d repeats the kills", seed, seed, *machineCount, *killCount)
	random := rand.New(rand.NewPCG(seed, seed))
	h := newHarness(t, *machineCount)
	for round := 1; h.killed < *killCount; round++ {
		require.LessOrEqual(t, round, 3*(*killCount/killsPerRound+1), "too few requests triggered a kill")
		quota := min(*killCount-h.killed, killsPerRound)
		for _, phase := range phases {
			n := min(max(1, int(phase.share*float64(quota)+0.5)), *killCount-h.killed)
			kills := plan(random, phase.requests, h.killed+1, n)
			t.Logf("round %d, %s: %d kills", round, phase.name, n)
			switch phase.name {
			case "create":
				h.create(kills)
			case "update":
				h.update(kills)
			case "delete":
				h.delete(kills)
			}
		}
	}
	h.deleteCluster()
	t.Logf("%s", h.summary())
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
