package nutanix_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/capnt/capnt/ccm/nutanix"
)

// lists is an API whose lists do what a test says.
type lists struct {
	nutanix.API
	asked atomic.Int64
	vms   func(context.Context, nutanix.VMFilter) ([]nutanix.VM, error)
}

func (l *lists) ListVMs(ctx context.Context, filter nutanix.VMFilter) ([]nutanix.VM, error) {
	l.asked.Add(1)
	return l.vms(ctx, filter)
}

func (l *lists) ListHosts(context.Context) ([]nutanix.Host, error) {
	l.asked.Add(1)
	return []nutanix.Host{{UUID: "h"}}, nil
}

func (l *lists) ListPrismElements(context.Context) ([]nutanix.PrismElement, error) {
	l.asked.Add(1)
	return []nutanix.PrismElement{{UUID: "p"}}, nil
}

func (l *lists) ListCategories(_ context.Context, key string) ([]nutanix.Category, error) {
	l.asked.Add(1)
	return []nutanix.Category{{UUID: "c", Key: key}}, nil
}

func echo(_ context.Context, filter nutanix.VMFilter) ([]nutanix.VM, error) {
	return []nutanix.VM{{UUID: "vm-of-" + filter.CategoryUUID}}, nil
}

func lasting(ttl time.Duration) func() time.Duration { return func() time.Duration { return ttl } }

func TestListsAreSharedByKey(t *testing.T) {
	t.Parallel()
	api := &lists{vms: echo}
	cache := nutanix.NewCache(api, lasting(time.Hour))
	for range 3 {
		a, err := cache.VMsOfCategory(t.Context(), "A")
		require.NoError(t, err)
		assert.Equal(t, []nutanix.VM{{UUID: "vm-of-a"}}, a)
		b, err := cache.VMsOfCategory(t.Context(), "b")
		require.NoError(t, err)
		assert.Equal(t, []nutanix.VM{{UUID: "vm-of-b"}}, b)
		vm, found, err := cache.VM(t.Context(), "VM-of-A", "a")
		require.NoError(t, err)
		assert.True(t, found)
		assert.Equal(t, "vm-of-a", vm.UUID)
		_, found, err = cache.VM(t.Context(), "vm-of-b", "a")
		require.NoError(t, err)
		assert.False(t, found)
		hosts, err := cache.Hosts(t.Context())
		require.NoError(t, err)
		assert.Len(t, hosts, 1)
		elements, err := cache.PrismElements(t.Context())
		require.NoError(t, err)
		assert.Len(t, elements, 1)
		for _, key := range []string{"zone", "region"} {
			categories, err := cache.Categories(t.Context(), key)
			require.NoError(t, err)
			assert.Equal(t, key, categories[0].Key)
		}
	}
	assert.EqualValues(t, 6, api.asked.Load())
}

// TestListsGrowOld proves that the TTL of the moment counts.
func TestListsGrowOld(t *testing.T) {
	t.Parallel()
	api := &lists{vms: echo}
	var ttl atomic.Int64
	ttl.Store(int64(time.Hour))
	cache := nutanix.NewCache(api, func() time.Duration { return time.Duration(ttl.Load()) })
	ask := func() {
		_, err := cache.VMsOfCategory(t.Context(), "")
		require.NoError(t, err)
	}
	ask()
	ask()
	assert.EqualValues(t, 1, api.asked.Load())
	ttl.Store(0)
	ask()
	assert.EqualValues(t, 2, api.asked.Load())
}

// TestManyLookUpsAskOnce proves single flight, and that a caller who goes away spoils nothing for the others.
func TestManyLookUpsAskOnce(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	api := &lists{vms: func(ctx context.Context, filter nutanix.VMFilter) ([]nutanix.VM, error) {
		<-release
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return echo(ctx, filter)
	}}
	cache := nutanix.NewCache(api, lasting(0))
	impatient, leave := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := cache.VMsOfCategory(impatient, "a")
		gone <- err
	}()
	require.Eventually(t, func() bool { return api.asked.Load() == 1 }, time.Minute, time.Millisecond)
	var all sync.WaitGroup
	started := make(chan struct{}, 50)
	for range 50 {
		all.Go(func() {
			started <- struct{}{}
			got, err := cache.VMsOfCategory(t.Context(), "a")
			assert.NoError(t, err)
			assert.Len(t, got, 1)
		})
	}
	for range 50 {
		<-started
	}
	leave()
	require.ErrorIs(t, <-gone, context.Canceled)
	close(release)
	all.Wait()
	assert.Less(t, api.asked.Load(), int64(50))
}

func TestErrorsAreNotKept(t *testing.T) {
	t.Parallel()
	trouble := errors.New("trouble")
	api := &lists{}
	api.vms = func(ctx context.Context, filter nutanix.VMFilter) ([]nutanix.VM, error) {
		if api.asked.Load() != 2 {
			return nil, trouble
		}
		return echo(ctx, filter)
	}
	cache := nutanix.NewCache(api, lasting(time.Hour))
	_, err := cache.VMsOfCategory(t.Context(), "a")
	require.ErrorIs(t, err, trouble)
	_, found, err := cache.VM(t.Context(), "vm-of-a", "a")
	require.NoError(t, err)
	assert.True(t, found)
	_, _, err = cache.VM(t.Context(), "vm-of-b", "b")
	require.ErrorIs(t, err, trouble)
	_, found, err = cache.VM(t.Context(), "vm-of-a", "a")
	require.NoError(t, err)
	assert.True(t, found, "the error of another key changes nothing")
}

// metrics gives the lines of the process's metrics that hold all parts.
func metrics(t *testing.T, parts ...string) []string {
	t.Helper()
	families, err := legacyregistry.DefaultGatherer.Gather()
	require.NoError(t, err)
	var out []string
	for _, family := range families {
	metric:
		for _, metric := range family.GetMetric() {
			text := family.GetName() + " " + metric.String()
			for _, part := range parts {
				if !strings.Contains(text, part) {
					continue metric
				}
			}
			out = append(out, text)
		}
	}
	return out
}

func TestMetrics(t *testing.T) {
	c := newCentral(t)
	c.prepare()
	c.On("GET vmm/ahv/config/vms/"+vmUUID, cut, answer(503, `{}`), answer(200, aVM))
	client := c.client(t, nil)
	_, err := client.VM(t.Context(), vmUUID)
	require.NoError(t, err)
	require.NoError(t, client.DeleteRoute(t.Context(), ourRoute()))
	_, err = nutanix.NewCache(client, lasting(time.Hour)).VMsOfCategory(t.Context(), "")
	require.NoError(t, err)
	for _, parts := range [][]string{
		{"capnt_ccm_prism_requests_total", `"VM"`, `"error"`},
		{"capnt_ccm_prism_requests_total", `"VM"`, `"503"`},
		{"capnt_ccm_prism_requests_total", `"VM"`, `"200"`},
		{"capnt_ccm_prism_requests_total", `"DeleteRoute"`, `"202"`},
		{"capnt_ccm_prism_requests_total", `"Task"`, `"200"`},
		{"capnt_ccm_prism_requests_total", `"NegotiateVersion"`, `"200"`},
		{"capnt_ccm_prism_request_duration_seconds", `"VM"`},
		{"capnt_ccm_prism_task_duration_seconds", `"DeleteRoute"`},
		{"capnt_ccm_prism_cache_lookups_total", `"vms"`, `"miss"`},
	} {
		assert.Len(t, metrics(t, parts...), 1, "%v", parts)
	}
}

// TestSecretsAreSeenByNobody proves that neither errors nor metrics hold a password, a key or a session, even when Prism
// Central repeats what it was sent.
func TestSecretsAreSeenByNobody(t *testing.T) {
	c := newCentral(t)
	c.prepare()
	repeat := func(status int) func(*central) {
		return func(c *central) {
			const basic = "c29tZW9uZTpQYXNzL1dvcmQtbm90LXRvLWJlLXNlZW4=" // testUser:testPassword
			c.On(vmPath, answer(status, refusal("vmm", "VMM-1", "G", "you sent "+testPassword+" and Basic "+basic+" and "+testKey)))
		}
	}
	faults := map[string]func(*central){
		"400": repeat(400), "401": repeat(401), "403": repeat(403), "404": repeat(404), "500": repeat(500),
		"page": func(c *central) { c.On(vmPath, answer(200, testPassword, "Content-Type", "text/"+testPassword)) },
		"lost": func(c *central) { c.On(vmPath, lost) }, "cut": func(c *central) { c.On(vmPath, cut) },
		"another": func(c *central) { c.On(vmPath, answer(200, `{"data":{"extId":"x"}}`)) },
		"task": func(c *central) {
			c.On(vmPath, answer(200, aVM))
			c.Task(taskState("FAILED", failing("N-1", "you sent "+testPassword)))
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			fault(c)
			for _, key := range []string{"", testKey} {
				client := c.client(t, func(e *nutanix.Endpoint, _ *nutanix.Limits) { e.APIKey = key })
				_, err := client.VM(t.Context(), vmUUID)
				if err == nil {
					err = client.DeleteRoute(t.Context(), ourRoute())
				}
				require.Error(t, err)
				assert.NotContains(t, err.Error(), secretOf(key))
				assert.NotContains(t, err.Error(), "c29tZW9uZTpQ")
			}
		})
	}
	for _, secret := range []string{testPassword, testKey, "c29tZW9uZTpQ"} {
		assert.Empty(t, metrics(t, secret))
	}
}

// secretOf is what a client with that key must hide.
func secretOf(key string) string {
	if key != "" {
		return key
	}
	return testPassword
}
