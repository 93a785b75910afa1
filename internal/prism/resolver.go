package prism

import (
	"context"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// clientIdle is how long an unused client is kept.
const clientIdle = 30 * time.Minute

// Access is the connection of a NutanixCluster to Prism Central.
type Access struct {
	Client *Client
	// Upstream contains the address and the credentials. The gateway uses it for Terraform runs.
	Upstream Upstream
}

// Resolver returns the Access of clusters. It reads the Secret and the ConfigMap of a cluster from a cache on each call, so that a
// changed password or certificate is used in the next reconcile. Clusters with the same address, credentials, trust bundle and API share
// a client with its connections and its session. The Resolver closes a client that has not been used for half an hour.
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

// NewResolver returns a Resolver that uses reader to read Secrets and ConfigMaps.
func NewResolver(reader client.Reader, options Options) *Resolver {
	return &Resolver{reader: reader, options: options, now: time.Now, clients: map[string]*shared{}}
}

// Access returns the Access of a cluster. Its client reads through the API that an annotation of the cluster names. Access sends no
// request to Prism Central. A *CredentialError or *TrustBundleError requires a correction by the user. All other errors come from the API
// server and may be transient.
func (r *Resolver) Access(ctx context.Context, cluster *infrav1.NutanixCluster) (*Access, error) {
	return r.AccessThrough(ctx, cluster, Generation(infrav1.WorkspacePrismAPI(cluster)))
}

// AccessThrough is like Access, but its client reads through the API generation. It is for clusters for which no API is recorded yet.
func (r *Resolver) AccessThrough(ctx context.Context, cluster *infrav1.NutanixCluster, generation Generation) (*Access, error) {
	found, err := upstream(ctx, r.reader, cluster)
	if err != nil {
		return nil, err
	}
	options := r.options
	options.API = generation
	key := string(options.API) + " " + found.Digest()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.evict()
	entry := r.clients[key]
	if entry == nil {
		made, err := New(found, options)
		if err != nil {
			return nil, err
		}
		entry = &shared{client: made}
		r.clients[key] = entry
	}
	entry.usedAt = r.now()
	return &Access{Client: entry.client, Upstream: found}, nil
}

func (r *Resolver) evict() {
	for key, entry := range r.clients {
		if r.now().Sub(entry.usedAt) > clientIdle {
			entry.client.Close()
			delete(r.clients, key)
		}
	}
}
