package nutanix

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// decode reads JSON into one of the vendor's models. They were seen to panic on surprises, which must not end the process.
func decode(read func(any) error, into any) (err error) {
	defer func() {
		if surprise := recover(); surprise != nil {
			err = fmt.Errorf("reading the answer: the vendor's model fails: %v", surprise)
		}
	}()
	return read(into)
}

// getting is one object to read.
type getting[T any] struct {
	operation, namespace, path string
	key                        func(*T) string
	// uuid is what key must give.
	uuid string
}

// getOne reads one object and its ETag, as the header says it.
func getOne[T any](ctx context.Context, c *Client, g getting[T]) (object *T, etag string, err error) {
	got, err := c.do(ctx, request{operation: g.operation, method: http.MethodGet, namespace: g.namespace, path: g.path, object: g.uuid})
	if err != nil {
		return nil, "", err
	}
	var frame envelope
	object = new(T)
	if err = json.Unmarshal(got.body, &frame); err == nil {
		err = decode(func(into any) error { return json.Unmarshal(frame.Data, into) }, object)
	}
	if err != nil {
		return nil, "", unreadable(g.operation, got, err)
	}
	if !strings.EqualFold(g.key(object), g.uuid) {
		return nil, "", unreadable(g.operation, got, fmt.Errorf("the answer is about %q instead of %q", g.key(object), g.uuid))
	}
	return object, got.header.Get(etagHeader), nil
}

func unreadable(operation string, got answer, cause error) *Error {
	return &Error{Operation: operation, Kind: Unavailable, Status: got.status, Cause: fmt.Errorf("reading the answer of Prism Central: %w", cause)}
}

// segment escapes an identifier for a path. Prism Central's are UUIDs; one that would mean another path is refused.
func segment(operation, identifier string) (string, error) {
	if identifier == "" || identifier == "." || identifier == ".." {
		return "", &Error{Operation: operation, Kind: Invalid, Message: fmt.Sprintf("%q is no identifier of an object", identifier)}
	}
	return url.PathEscape(identifier), nil
}

// reservedETag gives the ETag that a body carries: of a list, each item has its own.
func reservedETag(reserved map[string]any) string {
	for key, value := range reserved {
		if text, ok := value.(string); ok && strings.EqualFold(key, etagHeader) {
			return text
		}
	}
	return ""
}

// sameETag compares ETags that came in a header and in a body, where quotes may be left out.
func sameETag(a, b string) bool { return strings.Trim(a, `"`) == strings.Trim(b, `"`) }
