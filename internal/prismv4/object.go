package prismv4

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// decode decodes JSON into a model of an SDK. Some of these models panic on unexpected values, so decode recovers from panics.
func decode(read func(any) error, into any) (err error) {
	defer func() {
		if surprise := recover(); surprise != nil {
			err = fmt.Errorf("the model of the SDK panics: %v", surprise)
		}
	}()
	return read(into)
}

// Object describes one object to read.
type Object[T any] struct {
	Operation, Namespace, Path string
	// Key returns the UUID of the object in the response, which must be UUID.
	Key  func(*T) string
	UUID string
}

// Get reads one object and its ETag from the header.
func Get[T any](ctx context.Context, c *Client, o Object[T]) (object *T, etag string, err error) {
	got, err := c.do(ctx, request{operation: o.Operation, method: http.MethodGet, namespace: o.Namespace, path: o.Path, object: o.UUID})
	if err != nil {
		return nil, "", err
	}
	var frame envelope
	object = new(T)
	if err = json.Unmarshal(got.body, &frame); err == nil {
		err = decode(func(into any) error { return json.Unmarshal(frame.Data, into) }, object)
	}
	if err != nil {
		return nil, "", unreadable(o.Operation, got, err)
	}
	if !strings.EqualFold(o.Key(object), o.UUID) {
		return nil, "", unreadable(o.Operation, got, fmt.Errorf("the response contains object %q instead of %q", o.Key(object), o.UUID))
	}
	return object, got.header.Get(etagHeader), nil
}

func unreadable(operation string, got response, cause error) *Error {
	return &Error{Operation: operation, Kind: Unavailable, Status: got.status, Cause: fmt.Errorf("reading the response of Prism Central: %w", cause)}
}

// Segment returns an ID as an escaped segment of a path. It rejects an ID that would change the path.
func Segment(operation, identifier string) (string, error) {
	if identifier == "" || identifier == "." || identifier == ".." {
		return "", &Error{Operation: operation, Kind: Invalid, Message: fmt.Sprintf("%q is not the ID of an object", identifier)}
	}
	return url.PathEscape(identifier), nil
}

// ReservedETag returns the ETag in the field $reserved of an object. Each item of a list has its own ETag.
func ReservedETag(reserved map[string]any) string {
	for key, value := range reserved {
		if text, ok := value.(string); ok && strings.EqualFold(key, etagHeader) {
			return text
		}
	}
	return ""
}

// SameETag reports whether two ETags are equal. An ETag in a body may lack the quotes.
func SameETag(a, b string) bool { return strings.Trim(a, `"`) == strings.Trim(b, `"`) }
