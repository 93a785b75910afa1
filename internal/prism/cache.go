package prism

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// cacheLife is how long look-ups use a response of Prism Central. A machine is looked up once for its plan and once for its apply, and
	// the plan takes some seconds.
	cacheLife = 30 * time.Second
	// missLife is the same for a look-up that fails because an entity does not exist or has an ambiguous name. It is shorter, so that an
	// entity that was just created is found.
	missLife = 2 * time.Second
)

// cachedKind is a kind of entity whose look-ups are cached, as in the paths of the v3 API. VMs and tasks must not be added: the identity or
// the absence of a VM may only be concluded from a request that was made for this purpose.
type cachedKind string

const (
	cachedCategories cachedKind = "categories"
	cachedCentral    cachedKind = "prism_central"
	cachedClusters   cachedKind = "clusters"
	cachedGroups     cachedKind = "groups"
	cachedHosts      cachedKind = "hosts"
	cachedImages     cachedKind = "images"
	cachedProjects   cachedKind = "projects"
	cachedSubnets    cachedKind = "subnets"
)

// lookUp is a request whose response is cached. D is the type of the response, which callers must not modify.
type lookUp[D any] struct {
	// key contains all parts of the request.
	key  string
	read func(ctx context.Context, c *Client) (D, error)
}

// converted is a look-up whose response is converted. Entities for which convert returns false are left out.
func converted[From, To any](request lookUp[[]From], convert func(From) (To, bool)) lookUp[[]To] {
	return lookUp[[]To]{key: request.key, read: func(ctx context.Context, c *Client) ([]To, error) {
		found, err := request.read(ctx, c)
		return convertAll(found, convert), err
	}}
}

func convertAll[From, To any](in []From, convert func(From) (To, bool)) []To {
	var out []To
	for _, one := range in {
		if converted, ok := convert(one); ok {
			out = append(out, converted)
		}
	}
	return out
}

// listOf is the look-up of all entities of a kind that filter selects. filter may be empty.
func listOf[T any](kind cachedKind, filter string) lookUp[[]T] {
	return lookUp[[]T]{
		key: fmt.Sprintf("%s %s/list %q", http.MethodPost, kind, filter),
		read: func(ctx context.Context, c *Client) ([]T, error) {
			return list[T](ctx, c, strings.TrimSuffix(string(kind), "s"), filter)
		},
	}
}

// entityOf is the look-up of one entity. segments are the unescaped segments of its path below the kind. The response has one element.
func entityOf[T any](kind cachedKind, segments ...string) lookUp[[]T] {
	path := append([]string{string(kind)}, segments...)
	return lookUp[[]T]{
		key: fmt.Sprintf("%s %q", http.MethodGet, path),
		read: func(ctx context.Context, c *Client) ([]T, error) {
			var entity T
			err := c.get(ctx, &entity, path...)
			return []T{entity}, err
		},
	}
}

// groupsOf is the look-up of all entities of a type with the groups query.
func groupsOf(entityType string, attributes ...string) lookUp[[]groupsEntity] {
	return lookUp[[]groupsEntity]{
		key: fmt.Sprintf("%s %s %q %q", http.MethodPost, cachedGroups, entityType, attributes),
		read: func(ctx context.Context, c *Client) ([]groupsEntity, error) {
			return c.groups(ctx, entityType, attributes...)
		},
	}
}

// findEntity is like find, but returns a *NotFoundError if no entity has the UUID in wanted. kind is the name of the kind in errors.
func findEntity[T, R any](ctx context.Context, c *Client, kind string, wanted identifier, request lookUp[[]T], choose func([]T) (R, error)) (R, error) {
	found, err := find(ctx, c, request, choose)
	if wanted.uuid != "" {
		err = notFound(err, kind, wanted.String())
	}
	return found, err
}

// find calls choose with the response to a look-up. If choose returns an error for a response that is older than missLife, find reads
// again.
func find[D, R any](ctx context.Context, c *Client, request lookUp[D], choose func(D) (R, error)) (R, error) {
	var none R
	found, err := cached(ctx, c, request, cacheLife)
	if err != nil {
		return none, err
	}
	chosen, err := choose(found.data)
	if err == nil || c.cache.age(found.readAt) <= missLife {
		return chosen, err
	}
	if found, err = cached(ctx, c, request, missLife); err != nil {
		return none, err
	}
	return choose(found.data)
}

// cache contains responses to look-ups for a few seconds.
type cache struct {
	now     func() time.Time
	flights singleflight.Group

	mu        sync.Mutex
	responses map[string]response
}

// response is a response in the cache. readAt is the time at which its request was started.
type response struct {
	data   any
	readAt time.Time
}

// answer is a response with the type of its look-up.
type answer[D any] struct {
	data   D
	readAt time.Time
}

// cached returns a response to a look-up that is not older than maxAge. Concurrent callers share one request. The request does not end when
// the context of one caller ends, because others may wait for it. Errors are not cached.
func cached[D any](ctx context.Context, c *Client, request lookUp[D], maxAge time.Duration) (answer[D], error) {
	if got, ok := c.cache.get(request.key, maxAge); ok {
		return answerOf[D](got), nil
	}
	ctx, end, err := c.begin(ctx)
	if err != nil {
		return answer[D]{}, err
	}
	defer end()
	flight := c.cache.flights.DoChan(fmt.Sprint(maxAge, " ", request.key), func() (any, error) {
		if got, ok := c.cache.get(request.key, maxAge); ok { // another flight has ended meanwhile
			return got, nil
		}
		ctx, cancel := context.WithTimeout(WithoutFailFast(context.WithoutCancel(ctx)), requestTimeout)
		defer cancel()
		readAt := c.cache.now()
		data, err := request.read(ctx, c)
		if err != nil {
			return nil, err
		}
		return c.cache.put(request.key, response{data, readAt}), nil
	})
	select {
	case <-ctx.Done():
		return answer[D]{}, fmt.Errorf("looking up in Prism Central %s: %w", c.address, context.Cause(ctx))
	case result := <-flight:
		if result.Err != nil {
			return answer[D]{}, result.Err
		}
		return answerOf[D](result.Val.(response)), nil //nolint:forcetypeassert // the flight returns a response
	}
}

func answerOf[D any](got response) answer[D] {
	return answer[D]{got.data.(D), got.readAt} //nolint:forcetypeassert // the key determines the type
}

func (c *cache) age(readAt time.Time) time.Duration { return c.now().Sub(readAt) }

func (c *cache) get(key string, maxAge time.Duration) (response, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	got, found := c.responses[key]
	return got, found && c.age(got.readAt) <= maxAge
}

// put adds a response to the cache and removes old ones.
func (c *cache) put(key string, got response) response {
	c.mu.Lock()
	defer c.mu.Unlock()
	for other, old := range c.responses {
		if c.age(old.readAt) > cacheLife {
			delete(c.responses, other)
		}
	}
	c.responses[key] = got
	return got
}
