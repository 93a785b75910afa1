package nutanix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	// pageLimit is the largest $limit of the v4 API.
	pageLimit = 100
	// maxPages ends a list whose total Prism Central does not say.
	maxPages = 1000
)

// envelope is the frame of every successful answer.
type envelope struct {
	Data     json.RawMessage `json:"data"`
	Metadata struct {
		Total *int `json:"totalAvailableResults"`
		Flags []struct {
			Name  string `json:"name"`
			Value bool   `json:"value"`
		} `json:"flags"`
		Links []struct {
			Rel string `json:"rel"`
		} `json:"links"`
	} `json:"metadata"`
}

// partial reports whether Prism Central says itself that something is missing.
func (e envelope) partial() bool {
	for _, flag := range e.Metadata.Flags {
		if flag.Value && (flag.Name == "hasError" || flag.Name == "isTruncated") {
			return true
		}
	}
	return false
}

func (e envelope) hasNext() bool {
	for _, link := range e.Metadata.Links {
		if link.Rel == "next" {
			return true
		}
	}
	return false
}

// decode reads JSON into one of the vendor's models. They were seen to panic on surprises, which must not end the process.
func decode(data []byte, into any) (err error) {
	defer func() {
		if surprise := recover(); surprise != nil {
			err = fmt.Errorf("reading the answer: the vendor's model fails: %v", surprise)
		}
	}()
	return json.Unmarshal(data, into)
}

// listing is a list to read.
type listing[T any] struct {
	operation, namespace, path string
	// where narrows the list at the server; of several conditions, the one that is most likely refused is last. keep decides
	// about each item again, so that a server that ignores or refuses a condition gives the right list nevertheless.
	where []condition
	keep  func(*T) bool
	// key is what no two items share; an item without one is half an item. It is empty for the zero item.
	key func(*T) string
}

// errIncomplete says that a list is not whole; it may be the next time.
var errIncomplete = errors.New("the list is incomplete, or it changed while it was read")

// listAll reads all pages. A list that is not whole is read once more, and is Unavailable then. A condition that Prism
// Central refuses is left out: biosUuid and categories of virtual machines, for example, can be filtered by since pc.7.6.
func listAll[T any](ctx context.Context, c *Client, l listing[T]) ([]T, error) {
	l.where = c.usable(l.path, l.where)
	items, err := listTwice(ctx, c, l)
	var refused []condition
	for len(l.where) > 0 && Is(err, Invalid) {
		last := len(l.where) - 1
		refused, l.where = append(refused, l.where[last]), l.where[:last]
		items, err = listTwice(ctx, c, l)
	}
	if err != nil {
		return nil, err
	}
	c.refuse(l.path, refused)
	kept := make([]T, 0, len(items))
	for i := range items {
		if l.keep == nil || l.keep(&items[i]) {
			kept = append(kept, items[i])
		}
	}
	return kept, nil
}

func listTwice[T any](ctx context.Context, c *Client, l listing[T]) ([]T, error) {
	items, err := listOnce(ctx, c, l)
	if errors.Is(err, errIncomplete) {
		items, err = listOnce(ctx, c, l)
	}
	return items, err
}

func listOnce[T any](ctx context.Context, c *Client, l listing[T]) ([]T, error) {
	var all []T
	var total *int
	seen := map[string]bool{}
	for page := range maxPages {
		items, frame, err := listPage(ctx, c, l, page)
		if err != nil {
			return nil, err
		}
		if page == 0 {
			total = frame.Metadata.Total
		}
		all = append(all, items...)
		done, problem := progress(len(all), len(items), total, frame)
		if problem == "" {
			problem = unlike(items, seen, l.key)
		}
		if problem != "" {
			return nil, &Error{Operation: l.operation, Kind: Unavailable, Message: problem, Cause: errIncomplete}
		}
		if done {
			return all, nil
		}
	}
	return nil, &Error{Operation: l.operation, Kind: Unavailable, Message: fmt.Sprintf("the list does not end after %d pages", maxPages)}
}

// progress says whether a list is read to its end, and what is wrong with it. read are the items of all pages so far, last
// those of the last page, total what the first page said.
func progress(read, last int, total *int, frame envelope) (done bool, problem string) {
	switch now := frame.Metadata.Total; {
	case frame.partial():
		return false, "Prism Central says that the list has errors or is truncated"
	case (now == nil) != (total == nil) || now != nil && *now != *total:
		return false, "the number of items changed from one page to the next"
	case total == nil && frame.Data == nil:
		return false, "the answer has neither data nor a number of items"
	case total == nil && last < pageLimit && frame.hasNext():
		return false, fmt.Sprintf("a page has %d items, and there are more pages", last)
	case total == nil:
		return last < pageLimit, ""
	case read > *total || read < *total && last < pageLimit:
		return false, fmt.Sprintf("%d items came of %d", read, *total)
	default:
		return read == *total, ""
	}
}

// unlike gives what is wrong with the items of a page: one without identity, or one that was seen before.
func unlike[T any](items []T, seen map[string]bool, key func(*T) string) string {
	for i := range items {
		id := key(&items[i])
		switch {
		case id == "":
			return "an item has no identity"
		case seen[id]:
			return "item " + id + " came twice"
		}
		seen[id] = true
	}
	return ""
}

func listPage[T any](ctx context.Context, c *Client, l listing[T], page int) ([]T, envelope, error) {
	query := url.Values{"$page": {strconv.Itoa(page)}, "$limit": {strconv.Itoa(pageLimit)}}
	if len(l.where) > 0 {
		query.Set("$filter", expression(l.where))
	}
	got, err := c.do(ctx, request{operation: l.operation, method: http.MethodGet, namespace: l.namespace, path: l.path, query: query})
	if err != nil {
		return nil, envelope{}, err
	}
	var frame envelope
	var items []T
	err = json.Unmarshal(got.body, &frame)
	if string(frame.Data) == "null" {
		frame.Data = nil
	}
	if err == nil && frame.Data != nil {
		err = decode(frame.Data, &items)
	}
	if err != nil {
		return nil, envelope{}, unreadable(l.operation, got, err)
	}
	return items, frame, nil
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
		err = decode(frame.Data, object)
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
