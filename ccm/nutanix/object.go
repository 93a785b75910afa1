package nutanix

import (
	"context"
	"fmt"
	"net/http"

	"github.com/capnt/capnt/internal/prismv4"
)

// kind is a kind of objects of the networking API that are created, replaced and deleted with an ETag.
type kind[T any] struct {
	// rel is how tasks call it ("floating-ip").
	rel  string
	uuid func(*T) string
	// reserved is where a body carries its ETag.
	reserved func(*T) map[string]any
}

// target is one object of a kind, or the place where one is to be.
type target struct {
	operation string
	// collection is the path of the list; uuid and etag are of the object, when there is one.
	collection, uuid, etag string
}

func (t target) path() (string, error) {
	id, err := prismv4.Segment(t.operation, t.uuid)
	return t.collection + "/" + id, err
}

// create makes an object and reads it. When its task does not say which one it made, find gives the UUIDs of all that have
// what only it should have.
func create[T any](ctx context.Context, c *Client, k kind[T], at target, body *T, find func() ([]string, error)) (*T, string, error) {
	done, err := c.prism.Apply(ctx, prismv4.Change{Operation: at.operation, Method: http.MethodPost, Namespace: prismv4.Networking, Path: at.collection, Body: body})
	if err != nil {
		return nil, "", err
	}
	if uuid, ok := done.Created(k.rel); ok {
		at.uuid = uuid
	} else {
		found, err := find()
		if err != nil {
			return nil, "", err
		}
		if len(found) != 1 {
			return nil, "", &Error{Operation: at.operation, Kind: Unavailable, Message: fmt.Sprintf(
				"task %s has succeeded and does not say what it made, and %d objects look like it", done.UUID, len(found))}
		}
		at.uuid = found[0]
	}
	made, etag, err := read(ctx, c, k, at)
	if Is(err, NotFound) {
		err = &Error{Operation: at.operation, Kind: Unavailable, Cause: err, Message: fmt.Sprintf("task %s made what cannot be read yet", done.UUID)}
	}
	return made, etag, err
}

func read[T any](ctx context.Context, c *Client, k kind[T], at target) (*T, string, error) {
	path, err := at.path()
	if err != nil {
		return nil, "", err
	}
	found, etag, err := prismv4.Get(ctx, c.prism, prismv4.Object[T]{Operation: at.operation, Namespace: prismv4.Networking, Path: path, Key: k.uuid, UUID: at.uuid})
	if err == nil && etag == "" {
		etag = prismv4.ReservedETag(k.reserved(found))
	}
	return found, etag, err
}

// replace reads an object, lets set change what this package knows of it, and writes it back with everything else as it
// was, for example its project. The object must still be the one of target.etag, if that is known.
func replace[T any](ctx context.Context, c *Client, k kind[T], at target, set func(*T) error) error {
	path, err := at.path()
	if err != nil {
		return err
	}
	found, etag, err := read(ctx, c, k, at)
	if err != nil {
		return err
	}
	if at.etag != "" && etag != "" && !prismv4.SameETag(at.etag, etag) && !prismv4.SameETag(at.etag, prismv4.ReservedETag(k.reserved(found))) {
		return &Error{Operation: at.operation, Kind: Stale, Message: "it was changed since it was read"}
	}
	if err := set(found); err != nil {
		return &Error{Operation: at.operation, Kind: Invalid, Cause: err}
	}
	_, err = c.prism.Apply(ctx, prismv4.Change{Operation: at.operation, Method: http.MethodPut, Namespace: prismv4.Networking, Path: path, Body: found, IfMatch: etag, Object: at.uuid})
	return err
}

// remove deletes an object. Without an ETag it reads the one of now.
func remove[T any](ctx context.Context, c *Client, k kind[T], at target) error {
	path, err := at.path()
	if err != nil {
		return err
	}
	etag := at.etag
	if etag == "" {
		if _, etag, err = read(ctx, c, k, at); err != nil {
			return err
		}
	}
	_, err = c.prism.Apply(ctx, prismv4.Change{Operation: at.operation, Method: http.MethodDelete, Namespace: prismv4.Networking, Path: path, IfMatch: etag, Object: at.uuid})
	return err
}

// convert makes one of each.
func convert[From, To any](in []From, one func(*From) To) []To {
	out := make([]To, 0, len(in))
	for i := range in {
		out = append(out, one(&in[i]))
	}
	return out
}
