package prismv4

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

const (
	// pageLimit is the number of items per page, which is the maximum of the v4 API.
	pageLimit = 100
	// maxPages limits the number of pages that are read, in case Prism Central never returns a last page.
	maxPages = 1000
)

// envelope is the format of every successful response.
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

// partial reports whether Prism Central has marked the response as incomplete.
func (e envelope) partial() bool {
	for _, flag := range e.Metadata.Flags {
		if flag.Value && (flag.Name == "hasError" || flag.Name == "isTruncated") {
			return true
		}
	}
	return false
}

func (e envelope) empty() bool { return len(e.Data) == 0 || string(e.Data) == "null" }

func (e envelope) hasNext() bool {
	for _, link := range e.Metadata.Links {
		if link.Rel == "next" {
			return true
		}
	}
	return false
}

// Listing describes a list. Model is the type of its items in the API, and Item the type for the caller.
type Listing[Model, Item any] struct {
	Operation, Namespace, Path string
	// Where is the filter of the request. If Prism Central rejects it, the last condition is left out. Keep filters the items in the
	// response, so that the result is the same if Prism Central ignores or rejects a condition. Keep may be nil.
	Where []Condition
	Keep  func(*Item) bool
	// Key returns the unique ID of an item. It is empty for the zero Model.
	Key  func(*Model) string
	Item func(*Model) Item
}

// ErrIncomplete means that a list is incomplete. It may be complete when it is read again.
var ErrIncomplete = errors.New("the list is incomplete, or it changed while it was read")

// List reads all pages of a list. If the list is incomplete, List reads it a second time. List leaves out a condition that Prism Central
// rejects. For example, only pc.7.6 and later have filters for the biosUuid and the categories of VMs.
func List[Model, Item any](ctx context.Context, c *Client, l Listing[Model, Item]) ([]Item, error) {
	l.Where = c.usable(l.Path, l.Where)
	items, err := listTwice(ctx, c, l)
	var refused []Condition
	for len(l.Where) > 0 && Is(err, Invalid) {
		last := len(l.Where) - 1
		refused, l.Where = append(refused, l.Where[last]), l.Where[:last]
		items, err = listTwice(ctx, c, l)
	}
	if err != nil {
		return nil, err
	}
	c.refuse(l.Path, refused)
	return items, nil
}

func listTwice[Model, Item any](ctx context.Context, c *Client, l Listing[Model, Item]) ([]Item, error) {
	items, err := ListOnce(ctx, c, l)
	if errors.Is(err, ErrIncomplete) {
		items, err = ListOnce(ctx, c, l)
	}
	return items, err
}

// ListOnce reads all pages of a list once. If the list is incomplete, ListOnce returns the items that it has read and an error that wraps
// ErrIncomplete.
func ListOnce[Model, Item any](ctx context.Context, c *Client, l Listing[Model, Item]) ([]Item, error) {
	kept, seen := []Item{}, map[string]bool{}
	var total *int
	for page := range maxPages {
		frame, err := listPage(ctx, c, l, page)
		if err != nil {
			return nil, err
		}
		if page == 0 {
			total = frame.Metadata.Total
		}
		before := len(seen)
		problem := collect(frame.Data, &kept, seen, l)
		done := false
		if problem == "" {
			done, problem = progress(len(seen), len(seen)-before, total, frame)
		}
		if problem != "" {
			return kept, &Error{Operation: l.Operation, Kind: Unavailable, Message: problem, Cause: ErrIncomplete}
		}
		if done {
			return kept, nil
		}
	}
	return nil, &Error{Operation: l.Operation, Kind: Unavailable, Message: fmt.Sprintf("the list does not end after %d pages", maxPages)}
}

// progress reports whether the list has been read completely, or returns why it is incomplete. read is the number of items on all pages so
// far, last the number of items on the last page, and total the number of items according to the first page.
func progress(read, last int, total *int, frame envelope) (done bool, problem string) {
	switch now := frame.Metadata.Total; {
	case frame.partial():
		return false, "Prism Central reports that the list has errors or is truncated"
	case (now == nil) != (total == nil) || now != nil && *now != *total:
		return false, "the number of items changed from one page to the next"
	case total == nil && frame.empty():
		return false, "the response has neither data nor a number of items"
	case total == nil && last < pageLimit && frame.hasNext():
		return false, fmt.Sprintf("a page has %d items, and there are more pages", last)
	case total == nil:
		return last < pageLimit, ""
	case read > *total || read < *total && last < pageLimit:
		return false, fmt.Sprintf("the list has %d items of %d", read, *total)
	default:
		return read == *total, ""
	}
}

// collect appends the items of a page to kept. It decodes them one by one, because the models of the SDKs need much more memory than the
// items. It returns the problem if an item cannot be decoded, has no ID, or occurred before.
func collect[Model, Item any](page []byte, kept *[]Item, seen map[string]bool, l Listing[Model, Item]) string {
	items := json.NewDecoder(bytes.NewReader(page))
	_, _ = items.Token()
	for items.More() {
		var model Model
		if err := decode(items.Decode, &model); err != nil {
			return fmt.Sprintf("an item cannot be read: %v", err)
		}
		id := l.Key(&model)
		switch {
		case id == "":
			return "an item has no ID"
		case seen[id]:
			return "item " + id + " occurs twice"
		}
		seen[id] = true
		if item := l.Item(&model); l.Keep == nil || l.Keep(&item) {
			*kept = append(*kept, item)
		}
	}
	return ""
}

func listPage[Model, Item any](ctx context.Context, c *Client, l Listing[Model, Item], page int) (envelope, error) {
	query := url.Values{"$page": {strconv.Itoa(page)}, "$limit": {strconv.Itoa(pageLimit)}}
	if len(l.Where) > 0 {
		query.Set("$filter", expression(l.Where))
	}
	got, err := c.do(ctx, request{operation: l.Operation, method: http.MethodGet, namespace: l.Namespace, path: l.Path, query: query})
	if err != nil {
		return envelope{}, err
	}
	var frame envelope
	err = json.Unmarshal(got.body, &frame)
	if err == nil && !frame.empty() && frame.Data[0] != '[' {
		err = errors.New("data is not a list")
	}
	if err != nil {
		return envelope{}, unreadable(l.Operation, got, err)
	}
	return frame, nil
}
