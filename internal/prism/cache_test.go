package prism

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// clientAt returns a client whose clock the test sets.
func (c *central) clientAt(t *testing.T, now *time.Time) *Client {
	t.Helper()
	client, err := New(c.upstream(), Options{API: c.generation, Now: func() time.Time { return *now }})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// hold makes the central receive requests and not respond until release is called. entered is closed when it has received the first one.
func (c *central) hold() (entered <-chan struct{}, release func()) {
	received, released := make(chan struct{}), make(chan struct{})
	var first sync.Once
	inner := c.Config.Handler
	c.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		first.Do(func() { close(received) })
		<-released
		inner.ServeHTTP(w, req)
	})
	return received, sync.OnceFunc(func() { close(released) })
}

func TestConcurrentLookUpsShareRequests(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		entered, release := central.hold()
		client := central.client(t)
		var machines sync.WaitGroup
		for range 50 {
			machines.Go(func() {
				for _, lookUp := range []func() error{
					func() error { _, err := client.Image(t.Context(), byName("ubuntu")); return err },
					func() error { _, err := client.PrismElement(t.Context(), byName("pe-one")); return err },
					func() error { _, err := client.Subnet(t.Context(), byName("net"), uuid(1, 1)); return err },
					func() error { _, err := client.Project(t.Context(), byName("default")); return err },
				} {
					assert.NoError(t, lookUp())
				}
			})
		}
		<-entered
		release()
		machines.Wait()
		assert.Len(t, central.seen(), 4)
	})
}

// Each look-up is made twice, and then once more after the response has expired.
func TestLookUpsAreCachedForSeconds(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		now := time.Unix(1000, 0)
		client := central.clientAt(t, &now)
		for name, lookUp := range cachedCalls(client) {
			lookUp(t)
			first := central.seen()
			assert.NotEmpty(t, first, name)
			now = now.Add(cacheLife)
			lookUp(t)
			assert.Empty(t, central.seen(), name)
			now = now.Add(time.Second)
			lookUp(t)
			assert.Equal(t, first, central.seen(), name)
			now = now.Add(time.Minute)
		}
	})
}

func cachedCalls(client *Client) map[string]func(t *testing.T) {
	call := func(lookUp func(ctx context.Context) error) func(t *testing.T) {
		return func(t *testing.T) { t.Helper(); require.NoError(t, lookUp(t.Context())) }
	}
	gpus := []infrav1.NutanixGPU{gpuByName("Tesla T4 compute")}
	return map[string]func(t *testing.T){
		"Category":  call(func(ctx context.Context) error { _, err := client.Category(ctx, "Env/Stage", "a b"); return err }),
		"GPUModels": call(func(ctx context.Context) error { _, err := client.GPUModels(ctx, gpus, uuid(1, 1)); return err }),
		"GPUs":      call(func(ctx context.Context) error { _, err := client.GPUs(ctx, gpus, uuid(1, 1)); return err }),
		"Image":     call(func(ctx context.Context) error { _, err := client.Image(ctx, byUUID(uuid(3, 1))); return err }),
		"ImageLookup": call(func(ctx context.Context) error {
			_, err := client.ImageLookup(ctx, infrav1.NutanixImageLookup{BaseOS: "ubuntu-22.04"}, "v1.33.1")
			return err
		}),
		"PrismElement": call(func(ctx context.Context) error { _, err := client.PrismElement(ctx, byUUID(uuid(1, 1))); return err }),
		"Project":      call(func(ctx context.Context) error { _, err := client.Project(ctx, byUUID(uuid(4, 1))); return err }),
		"StorageContainer": call(func(ctx context.Context) error {
			_, err := client.StorageContainer(ctx, byUUID(uuid(8, 1)), uuid(1, 1))
			return err
		}),
		"Subnet": call(func(ctx context.Context) error {
			_, err := client.Subnet(ctx, byUUID(uuid(2, 1)), uuid(1, 1))
			return err
		}),
		"Versions": call(func(ctx context.Context) error { _, err := client.Versions(ctx); return err }),
	}
}

// The identity and the absence of VMs must not be concluded from an earlier response, and concurrent calls must not share one. A new method
// has to be added here or to cachedCalls.
func TestVMsAndTasksAreNeverCached(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		now := time.Unix(1000, 0)
		client := central.clientAt(t, &now)
		ignore := func(_ any, _ error) {}
		calls := map[string]func(ctx context.Context){
			"AllVMs":                 func(ctx context.Context) { ignore(client.AllVMs(ctx)) },
			"AntiAffinityPoliciesOf": func(ctx context.Context) { ignore(client.AntiAffinityPoliciesOf(ctx, vmCategory)) },
			"AntiAffinityPolicy":     func(ctx context.Context) { ignore(client.AntiAffinityPolicy(ctx, uuid(6, 1))) },
			"Attachments":            func(ctx context.Context) { ignore(client.Attachments(ctx, uuid(6, 1))) },
			"AvailablePrismElements": func(ctx context.Context) { ignore(client.AvailablePrismElements(ctx)) },
			"CategoryWithUUID":       func(ctx context.Context) { ignore(client.CategoryWithUUID(ctx, vmCategory)) },
			"DetachVolumeGroups": func(ctx context.Context) {
				ignore(client.DetachVolumeGroups(ctx, &Attachments{vm: uuid(6, 1), Groups: []VolumeGroup{{UUID: "group"}}}))
			},
			"Ping":          func(ctx context.Context) { ignore(nil, client.Ping(ctx)) },
			"Task":          func(ctx context.Context) { ignore(client.Task(ctx, uuid(7, 1))) },
			"VM":            func(ctx context.Context) { ignore(client.VM(ctx, uuid(6, 1))) },
			"VMsOfCategory": func(ctx context.Context) { ignore(client.VMsOfCategory(ctx, "key", "value")) },
		}
		cached := cachedCalls(client)
		for method := range reflect.TypeFor[*Client]().Methods() {
			_, isCached := cached[method.Name]
			_, isNot := calls[method.Name]
			// ListedVM does not show whether a VM exists. Close sends no request.
			exempt := method.Name == "ListedVM" || method.Name == "Close"
			assert.True(t, isCached != isNot || exempt, "%s has to be in one of the two lists", method.Name)
		}
		for name, call := range calls {
			for range 3 {
				central.seen()
				call(t.Context())
				if central.generation == V3 && slices.Contains([]string{"CategoryWithUUID", "AntiAffinityPoliciesOf", "AntiAffinityPolicy"}, name) {
					continue // it requires the v4 API
				}
				assert.NotEmpty(t, central.seen(), "%s sends a request in each call", name)
			}
		}
		for key := range client.cache.responses {
			// A VM in the v4 API contains only the UUIDs of its categories. Only their keys and values are cached.
			assert.True(t, central.generation == V4 && strings.Contains(key, "prism/config/categories"), key)
		}
		for _, kind := range []cachedKind{cachedCategories, cachedClusters, cachedGroups, cachedHosts, cachedImages, cachedProjects, cachedSubnets} {
			assert.False(t, strings.HasPrefix(string(kind), "vm") || strings.HasPrefix(string(kind), "task"), kind)
		}
	})
}

func TestNewEntityIsFoundSoon(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		now := time.Unix(1000, 0)
		client := central.clientAt(t, &now)
		images := central.kinds["images"]
		central.kinds["images"] = images[1:]
		var missing *NotFoundError
		for range 2 {
			_, err := client.Image(t.Context(), byName("ubuntu"))
			require.ErrorAs(t, err, &missing)
		}
		assert.Len(t, central.seen(), 1)
		central.kinds["images"] = images
		now = now.Add(missLife + time.Millisecond)
		_, err := client.Image(t.Context(), byName("ubuntu"))
		require.NoError(t, err)
		assert.Len(t, central.seen(), 1)
	})
}

func TestErrorsAreNotCached(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		client := central.client(t)
		central.failWith(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
		_, err := client.Image(t.Context(), byName("ubuntu"))
		require.Error(t, err)
		central.failWith(nil)
		_, err = client.Image(t.Context(), byName("ubuntu"))
		require.NoError(t, err)
	})
}

func TestCanceledLookUpDoesNotFailOthers(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		entered, release := central.hold()
		defer release()
		client := central.client(t)
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error), make(chan error)
		go func() { _, err := client.Image(ctx, byName("ubuntu")); first <- err }()
		<-entered
		go func() { _, err := client.Image(t.Context(), byName("ubuntu")); second <- err }()
		cancel()
		require.ErrorIs(t, <-first, context.Canceled)
		release()
		require.NoError(t, <-second)
		assert.Len(t, central.seen(), 1)
	})
}

// Requests that differ in any part have different keys.
func TestKeysContainTheWholeRequest(t *testing.T) {
	keys := map[string]bool{}
	for _, key := range []string{
		listOf[struct{}](cachedImages, "").key, listOf[struct{}](cachedProjects, "").key, listOf[struct{}](cachedProjects, "name==a").key,
		entityOf[struct{}](cachedProjects, "list").key, entityOf[struct{}](cachedCategories, "a", "b/c").key, entityOf[struct{}](cachedCategories, "a/b", "c").key,
		entityOf[struct{}](cachedCategories, "a", `b" "c`).key, entityOf[struct{}](cachedCategories, "a", "b", "c").key,
		groupsOf("a", "b", "c").key, groupsOf("a", "b").key, groupsOf("b", "b").key,
	} {
		assert.False(t, keys[key], key)
		keys[key] = true
	}
}
