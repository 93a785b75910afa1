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

// killsPerRound is how many kills one round of create, update and delete gets at most: enough to meet every kind of request,
// and few enough that the runs in between make progress.
const killsPerRound = 30

const (
	// maxPause limits the time between two kills.
	maxPause = 10 * time.Second
	// listLag is how far the lists of Prism Central lag behind.
	listLag = 2 * time.Second
	// maxHold limits how long a request is on its way to Prism Central after its sender was killed.
	maxHold = 6 * time.Second
	// absencePeriod is longer than a request can be on its way and a list lag behind, as the default is.
	absencePeriod = 15 * time.Second
)

// victim is a process that is killed.
type victim string

const (
	manager   victim = "manager"
	terraform victim = "terraform"
)

// kill is a planned SIGKILL. A request to Prism Central triggers it.
type kill struct {
	number int
	victim victim
	// request is the kind of the request, as kindOf returns it.
	request string
	// after is false when the victim is killed before the request reaches Prism Central, and true when it is killed after Prism
	// Central has responded and before the response reaches the victim.
	after bool
	// lost says that a request before which the victim was killed never reaches Prism Central. Otherwise it does so after hold,
	// when nobody waits for the response and a new manager may be running.
	lost bool
	hold time.Duration
	// pause is the time before the kill is armed.
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

// phases of a round in order, with the kinds of requests that trigger kills. The first kind is the request that changes a VM and
// triggers half of the kills.
var phases = []struct {
	name     string
	share    float64 // of the kills of a round
	requests []string
}{
	{"create", 0.4, []string{kindCreate, kindTask, kindRead, kindList}},
	{"update", 0.25, []string{kindUpdate, kindTask, kindRead}},
	{"delete", 0.35, []string{kindDelete, kindTask, kindRead}},
}

// randomUpTo returns a random time in whole tenths of a second.
func randomUpTo(random *rand.Rand, limit time.Duration) time.Duration {
	return time.Duration(random.IntN(int(limit/(100*time.Millisecond)))) * 100 * time.Millisecond
}

// plan returns n kills for a phase.
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

// TestKillsLeaveExactlyTheWantedVMs creates, updates and deletes machines while the manager and Terraform are killed at random
// requests. After each phase Prism Central has exactly the wanted VMs, and the cluster has exactly their states and no held lock. No VM
// is created twice, switched off, or deleted while its Machine exists, and nobody has to repair anything.
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

// Kinds of requests to Prism Central.
const (
	kindCreate = "create"
	kindUpdate = "update"
	kindDelete = "delete"
	kindRead   = "read"
	kindTask   = "task"
	kindList   = "list"
	kindOther  = "other"
)

// kindOf returns the kind of a request, and the UUID of the VM in its path.
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
