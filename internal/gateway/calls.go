package gateway

import (
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/capnt/capnt/internal/prism/transport"
)

// call is a kind of request: the generation of the API, and whether the request only reads.
type call struct{ api, class string }

func callOf(req *http.Request) call {
	if transport.IsRetryable(req) {
		return call{apiOf(req), "read"}
	}
	return call{apiOf(req), "write"}
}

// calls counts the requests of one run.
type calls struct {
	mu     sync.Mutex
	counts map[call]int
}

func (c *calls) add(req *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[call]int{}
	}
	c.counts[callOf(req)]++
}

func (c *calls) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	total := 0
	for _, count := range c.counts {
		total += count
	}
	return total
}

// observe writes the number of requests of each kind to a histogram. Kinds without requests are left out.
func (c *calls) observe(histogram *prometheus.HistogramVec) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for kind, count := range c.counts {
		histogram.WithLabelValues(kind.api, kind.class).Observe(float64(count))
	}
}
