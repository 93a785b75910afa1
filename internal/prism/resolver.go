package prism

import (
	"context"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// clientIdle is how long a client outlives its last use.
const clientIdle = 30 * time.Minute

// Access is how a NutanixCluster reaches Prism Central.
type Access struct {
	Client *Client
	// Upstream is the same for a Terraform run, through the gateway. It holds the credentials.
	Upstream Upstream
}

// Resolver finds the access of clusters. Secret and ConfigMap are read each time, from a cache, so that a rotation takes
// effect with the next reconcile; a client, its connections and its session are shared by all clusters that reach the
// same endpoint with the same credentials and trust, and end when nobody has asked for them for half an hour.
type Resolver struct {
	reader  client.Reader
	options Options
	now     func() time.Time

	mu      sync.Mutex
	clients map[string]*shared
}

type shared struct {
	client *Client
	usedAt time.Time
}

// NewResolver returns a Resolver that reads Secrets and ConfigMaps from reader.
func NewResolver(reader client.Reader, options Options) *Resolver {
	return &Resolver{reader: reader, options: options, now: time.Now, clients: map[string]*shared{}}
}

// Access returns the access of a cluster. It sends nothing to Prism Central. A *CredentialError or *TrustBundleError has
// to be cured by somebody; any other error comes from the API server and may pass.
func (r *Resolver) Access(ctx context.Context, cluster *infrav1.NutanixCluster) (*Access, error) {
	found, err := upstream(ctx, r.reader, cluster)
	if err != nil {
		return nil, err
	}
	digest := found.Digest()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.evict()
	entry := r.clients[digest]
	if entry == nil {
		made, err := New(found, r.options)
		if err != nil {
			return nil, err
		}
		entry = &shared{client: made}
		r.clients[digest] = entry
	}
	entry.usedAt = r.now()
	return &Access{Client: entry.client, Upstream: found}, nil
}

func (r *Resolver) evict() {
	for digest, entry := range r.clients {
		if r.now().Sub(entry.usedAt) > clientIdle {
			entry.client.Close()
			delete(r.clients, digest)
		}
	}
}
