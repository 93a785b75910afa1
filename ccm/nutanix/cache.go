package nutanix

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/capnt/capnt/internal/prismv4"
)

// Cache shares lists among many look-ups for a short time, so that a sync of all nodes asks Prism Central once. What it
// gives is up to one TTL old and must not be changed. Errors are never kept; looking up what is not there is a reason to
// ask the API itself. It is safe for concurrent use.
type Cache struct {
	api API
	ttl func() time.Duration

	prismElements prismv4.Shared[[]PrismElement]
	hosts         prismv4.Shared[[]Host]
	mu            sync.Mutex
	vms           map[string]*prismv4.Shared[[]VM]
	categories    map[string]*prismv4.Shared[[]Category]
}

// NewCache gives a cache whose lists live as long as ttl says at the time of a look-up. A TTL of 0 still joins look-ups that
// are made at the same time.
func NewCache(api API, ttl func() time.Duration) *Cache {
	registerMetrics()
	return &Cache{api: api, ttl: ttl, vms: map[string]*prismv4.Shared[[]VM]{}, categories: map[string]*prismv4.Shared[[]Category]{}}
}

// VMsOfCategory gives the virtual machines that have a category, all of them when its UUID is empty.
func (c *Cache) VMsOfCategory(ctx context.Context, categoryUUID string) ([]VM, error) {
	filter := VMFilter{CategoryUUID: strings.ToLower(categoryUUID)}
	return lookUp(ctx, c, "vms", entryOf(c, c.vms, filter.CategoryUUID), func(ctx context.Context) ([]VM, error) {
		return c.api.ListVMs(ctx, filter)
	})
}

// VM looks for a virtual machine among those of a category. That it is not found says nothing about whether it exists: it
// may lack the category, or be younger than the list.
func (c *Cache) VM(ctx context.Context, uuid, categoryUUID string) (vm VM, found bool, err error) {
	all, err := c.VMsOfCategory(ctx, categoryUUID)
	if err != nil {
		return VM{}, false, err
	}
	at := slices.IndexFunc(all, func(vm VM) bool { return strings.EqualFold(vm.UUID, uuid) })
	if at < 0 {
		return VM{}, false, nil
	}
	return all[at], true, nil
}

// PrismElements gives all clusters, Prism Central's own among them.
func (c *Cache) PrismElements(ctx context.Context) ([]PrismElement, error) {
	return lookUp(ctx, c, "prism_elements", &c.prismElements, c.api.ListPrismElements)
}

// Hosts gives all hosts.
func (c *Cache) Hosts(ctx context.Context) ([]Host, error) {
	return lookUp(ctx, c, "hosts", &c.hosts, c.api.ListHosts)
}

// Categories gives all values of a category key, or of all keys when it is empty.
func (c *Cache) Categories(ctx context.Context, key string) ([]Category, error) {
	return lookUp(ctx, c, "categories", entryOf(c, c.categories, key), func(ctx context.Context) ([]Category, error) {
		return c.api.ListCategories(ctx, key)
	})
}

func entryOf[T any](c *Cache, entries map[string]*prismv4.Shared[[]T], key string) *prismv4.Shared[[]T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if entries[key] == nil {
		entries[key] = &prismv4.Shared[[]T]{}
	}
	return entries[key]
}

func lookUp[T any](ctx context.Context, c *Cache, list string, entry *prismv4.Shared[[]T], fetch func(context.Context) ([]T, error)) ([]T, error) {
	ttl := c.ttl()
	fresh := func(_ []T, age time.Duration) bool { return age < ttl }
	items, result, err := entry.Get(ctx, fresh, fetch)
	cacheLookups.WithLabelValues(list, result).Inc()
	if err != nil {
		return nil, err
	}
	return items, nil
}
