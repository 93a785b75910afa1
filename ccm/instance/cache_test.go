package instance

import (
	"context"
	"sync"
	"time"

	"github.com/capnt/capnt/ccm/nutanix"
)

func (b *bench) newCache() Cache { return &cache{b: b, held: map[string]held{}} }

// cache is a plain stand-in with the clock of the bench.
type cache struct {
	b     *bench
	mutex sync.Mutex
	held  map[string]held
}

type held struct {
	value any
	at    time.Time
}

func cached[T any](c *cache, key string, fetch func() (T, error)) (T, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if h, ok := c.held[key]; ok && c.b.clock.Since(h.at) < c.b.settings.Client.CacheTTL.Duration {
		return h.value.(T), nil
	}
	value, err := fetch()
	if err == nil {
		c.held[key] = held{value, c.b.clock.Now()}
	}
	return value, err
}

func (c *cache) VMsOfCategory(ctx context.Context, uuid string) ([]nutanix.VM, error) {
	return cached(c, "category/"+uuid, func() ([]nutanix.VM, error) {
		return c.b.prism.ListVMs(ctx, nutanix.VMFilter{CategoryUUID: uuid})
	})
}

func (c *cache) PrismElements(ctx context.Context) ([]nutanix.PrismElement, error) {
	return cached(c, "elements", func() ([]nutanix.PrismElement, error) { return c.b.prism.ListPrismElements(ctx) })
}

func (c *cache) Hosts(ctx context.Context) ([]nutanix.Host, error) {
	return cached(c, "hosts", func() ([]nutanix.Host, error) { return c.b.prism.ListHosts(ctx) })
}

func (c *cache) Categories(ctx context.Context, key string) ([]nutanix.Category, error) {
	return cached(c, "categories/"+key, func() ([]nutanix.Category, error) { return c.b.prism.ListCategories(ctx, key) })
}
