package prism

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// putVMs replaces all VMs of central with count new ones.
func (c *central) putVMs(count int) {
	c.kinds["vms"] = nil
	for i := range count {
		c.kinds["vms"] = append(c.kinds["vms"], map[string]any{
			"metadata": map[string]any{"uuid": uuid(6, i)}, "spec": map[string]any{"name": "same", "description": fmt.Sprint(i)}})
	}
}

func TestAllVMs(t *testing.T) {
	tests := map[string]struct {
		count, miscount int
		complete        bool
	}{
		"none":                           {0, 0, true},
		"a page that is not full":        {7, 0, true},
		"a full page":                    {100, 0, true},
		"three pages":                    {250, 0, true},
		"a count that is one too high":   {250, 1, false},
		"a count that is one too low":    {250, -1, false},
		"no count at all":                {250, -250, false},
		"no VM, but one that is counted": {0, 1, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			forBoth(t, func(t *testing.T, central *central) {
				central.putVMs(test.count)
				central.miscount = test.miscount
				list, err := central.client(t).AllVMs(t.Context())
				require.NoError(t, err)
				if central.generation == V3 {
					assert.Len(t, list.VMs, test.count, "the list is read to its end, whatever is counted")
				}
				assert.Equal(t, test.complete, list.Complete)
				for i := range list.VMs {
					assert.Equal(t, fmt.Sprint(i), list.Find(uuid(6, i)).Description)
				}
				assert.Nil(t, list.Find(uuid(6, test.count)))
			})
		})
	}
}

// TestChangingVMListIsNotComplete proves that a list that changes while it is read is not complete. If a VM on an earlier page is
// deleted, the following VMs move forward. So the first VM of the next page moves to the page that was already read, and the result lacks
// it.
func TestChangingVMListIsNotComplete(t *testing.T) {
	changes := map[string]func(c *central){
		"one deleted":          func(c *central) { c.kinds["vms"] = c.kinds["vms"][1:] },
		"one added in front":   func(c *central) { c.kinds["vms"] = append(c.kinds["vms"][249:250:250], c.kinds["vms"]...) },
		"one added at end":     func(c *central) { c.kinds["vms"] = append(c.kinds["vms"], c.kinds["vms"][0]) },
		"one moved to the end": func(c *central) { c.kinds["vms"] = append(c.kinds["vms"][1:250:250], c.kinds["vms"][0]) },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			forBoth(t, func(t *testing.T, central *central) {
				central.putVMs(250)
				central.paged = func() {
					change(central)
					central.paged = nil
				}
				list, err := central.client(t).AllVMs(t.Context())
				require.NoError(t, err)
				assert.False(t, list.Complete)
			})
		})
	}
}

func TestTask(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		central.kinds["tasks"] = []map[string]any{{"metadata": map[string]any{"uuid": uuid(9, 1)}, "status": "FAILED", "error_detail": "no luck"}}
		client := central.client(t)
		for _, id := range []string{uuid(9, 1), "ZXJnb24=:" + uuid(9, 1)} {
			task, err := client.Task(t.Context(), id)
			require.NoError(t, err)
			assert.Equal(t, &Task{UUID: uuid(9, 1), Status: "FAILED", Error: "no luck"}, task)
		}
		_, err := client.Task(t.Context(), uuid(9, 2))
		var missing *NotFoundError
		require.ErrorAs(t, err, &missing)
		assert.Equal(t, KindTask, missing.Kind)
		_, err = client.Task(t.Context(), "")
		require.ErrorContains(t, err, "taskUUID")
		central.failWith(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
		_, err = client.Task(t.Context(), uuid(9, 1))
		require.Error(t, err)
		assert.NotErrorAs(t, err, &missing, "a bare 404 says nothing about the task")
	})
}

func TestV4TaskShowsItsVM(t *testing.T) {
	central := newCentral(t)
	central.generation = V4
	vm := func(uuid string) map[string]any { return map[string]any{"extId": uuid, "rel": "vmm:ahv:config:vm"} }
	for name, test := range map[string]struct {
		entities []any
		want     string
	}{
		"none":       {nil, ""},
		"another":    {[]any{map[string]any{"extId": uuid(1, 1), "rel": "clustermgmt:config:cluster"}}, ""},
		"one":        {[]any{map[string]any{"extId": uuid(1, 1), "rel": "clustermgmt:config:cluster"}, vm(strings.ToUpper(uuid(6, 1)))}, uuid(6, 1)},
		"its disk":   {[]any{vm(uuid(6, 1)), map[string]any{"extId": uuid(7, 1), "rel": "vmm:ahv:config:vm:disk"}}, uuid(6, 1)},
		"two":        {[]any{vm(uuid(6, 1)), vm(uuid(6, 2))}, ""},
		"one, twice": {[]any{vm(uuid(6, 1)), vm(uuid(6, 1))}, uuid(6, 1)},
	} {
		central.kinds["tasks"] = []map[string]any{{"metadata": map[string]any{"uuid": uuid(9, 1)}, "status": "RUNNING", "entities": test.entities}}
		task, err := central.client(t).Task(t.Context(), "ZXJnb24=:"+uuid(9, 1))
		require.NoError(t, err)
		assert.Equal(t, test.want, task.VM, name)
	}
}

func TestTaskStates(t *testing.T) {
	for status, want := range map[string][2]bool{
		"QUEUED": {true, false}, "RUNNING": {true, false}, "PENDING": {true, false}, "SUCCEEDED": {false, false},
		"FAILED": {false, true}, "INVALID_UUID": {false, true}, "ABORTED": {false, true}, "": {false, false},
	} {
		task := Task{Status: status}
		assert.Equal(t, want, [2]bool{task.Running(), task.Failed()}, status)
	}
}

func TestAvailablePrismElements(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		client := central.client(t)
		all, err := client.AvailablePrismElements(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{uuid(1, 1), uuid(1, 2), uuid(1, 3), uuid(1, 4)}, all, "Prism Central itself is none")
		for _, cluster := range central.kinds["clusters"] {
			if cluster["metadata"].(map[string]any)["uuid"] == uuid(1, 2) {
				resources := cluster["status"].(map[string]any)["resources"].(map[string]any)
				resources["config"].(map[string]any)["is_available"] = false
			}
		}
		all, err = client.AvailablePrismElements(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{uuid(1, 1), uuid(1, 3), uuid(1, 4)}, all, "one that is disconnected is left out")
	})
}

// eventuallyListed calls ListedVM until the list contains the VM.
func eventuallyListed(t *testing.T, client *Client, uuid string, interval time.Duration) *VM {
	t.Helper()
	var vm *VM
	require.Eventually(t, func() bool {
		vm = client.ListedVM(uuid, interval)
		return vm != nil
	}, time.Minute, time.Millisecond)
	return vm
}

func TestVMsShareOneList(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		central.putVMs(250)
		client := central.client(t)
		assert.Nil(t, client.ListedVM(uuid(6, 0), time.Hour), "the first call starts the read and does not wait")
		eventuallyListed(t, client, uuid(6, 249), time.Hour)
		for i := range 250 {
			assert.Equal(t, uuid(6, i), client.ListedVM(uuid(6, i), time.Hour).UUID)
		}
		assert.Nil(t, client.ListedVM(uuid(6, 250), time.Hour))
		assert.Len(t, central.seen(), 3, "one request for each page")
	})
}

func TestListThatCostsMoreThanItSavesIsNotRead(t *testing.T) {
	central := newCentral(t)
	central.putVMs(250)
	client := central.client(t)
	client.snapshot.vms = map[string]VM{}
	for i := range 250 {
		client.snapshot.vms[uuid(6, i)] = VM{}
	}
	for range 10 { // fewer than three calls in each interval
		assert.Nil(t, client.ListedVM(uuid(6, 0), 0))
	}
	assert.False(t, readBegun(client))
}

// readBegun reports whether a read of the list of all VMs has begun. A read in the background may not have sent a request yet.
func readBegun(client *Client) bool {
	client.snapshot.mu.Lock()
	defer client.snapshot.mu.Unlock()
	return client.snapshot.reading || !client.snapshot.readAt.IsZero()
}

func TestListIsReadOnceInAnInterval(t *testing.T) {
	central := newCentral(t)
	central.putVMs(1)
	client := central.client(t)
	eventuallyListed(t, client, uuid(6, 0), time.Hour)
	client.snapshot.readAt = time.Time{}
	client.ListedVM(uuid(6, 0), time.Hour)
	assert.False(t, readBegun(client))
}

func TestListedVMHasTheDigestOfTheVM(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		central.putVMs(1)
		vm := central.kinds["vms"][0]
		vm["status"] = map[string]any{"state": "COMPLETE", "resources": map[string]any{"memory_size_mib": 2048, "host_reference": map[string]any{"uuid": "a"}}}
		client := central.client(t)
		digest := func() string {
			read, err := client.VM(t.Context(), uuid(6, 0))
			require.NoError(t, err)
			return read.Digest
		}
		before := digest()
		assert.Equal(t, before, eventuallyListed(t, client, uuid(6, 0), time.Hour).Digest)

		resources := vm["status"].(map[string]any)["resources"].(map[string]any)
		resources["host_reference"] = map[string]any{"uuid": "b"}
		assert.Equal(t, before, digest(), "after a live migration")
		changes := map[string]func(){
			"memory":      func() { resources["memory_size_mib"] = 4096 },
			"description": func() { vm["spec"].(map[string]any)["description"] = "other" },
			"categories":  func() { vm["metadata"].(map[string]any)["categories"] = map[string]any{"k": "v"} },
		}
		for name, change := range changes {
			change()
			after := digest()
			assert.NotEqual(t, before, after, name)
			before = after
		}
	})
}
