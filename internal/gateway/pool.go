package gateway

import (
	"sync"
	"time"

	"github.com/capnt/capnt/internal/prism/transport"
)

// poolIdle is how long a pool is kept after its last session was closed. During this time the pool keeps its connections, its Prism
// session and its rate limit.
const poolIdle = 10 * time.Minute

// pool is the transport that all sessions with the same upstream share.
type pool struct {
	*transport.Transport
	digest string
	users  int
	idleAt time.Time
}

// pools contains one pool for each distinct upstream. Two upstreams with different credentials or trust bundles have different pools.
type pools struct {
	mu       sync.Mutex
	options  transport.Options
	now      func() time.Time
	byDigest map[string]*pool
}

func newPools(options transport.Options) *pools {
	return &pools{options: options, now: time.Now, byDigest: map[string]*pool{}}
}

func (p *pools) acquire(upstream Upstream) (*pool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.evict()
	digest := upstream.Digest()
	shared := p.byDigest[digest]
	if shared == nil {
		made, err := transport.New(upstream, p.options)
		if err != nil {
			return nil, err
		}
		shared = &pool{Transport: made, digest: digest}
		p.byDigest[digest] = shared
	}
	shared.users++
	return shared, nil
}

func (p *pools) release(shared *pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	shared.users--
	shared.idleAt = p.now()
	p.evict()
}

func (p *pools) evict() {
	for digest, shared := range p.byDigest {
		if shared.users == 0 && p.now().Sub(shared.idleAt) > poolIdle {
			shared.CloseIdleConnections()
			delete(p.byDigest, digest)
		}
	}
}

func (p *pools) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, shared := range p.byDigest {
		shared.CloseIdleConnections()
	}
}
