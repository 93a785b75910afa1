package nutanix

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

func (e envelope) empty() bool { return len(e.Data) == 0 || string(e.Data) == "null" }

func (e envelope) hasNext() bool {
	for _, link := range e.Metadata.Links {
		if link.Rel == "next" {
			return true
		}
	}
	return false
}

// listing is a list to read, of the vendor's type Model as our type Item.
type listing[Model, Item any] struct {
	operation, namespace, path string
	// where narrows the list at the server; of several conditions, the one that is most likely refused is last. keep decides
	// about each item again, so that a server that ignores or refuses a condition gives the right list nevertheless.
	where []condition
	keep  func(*Item) bool
	// key is what no two items share; an item without one is half an item. It is empty for the zero model.
	key  func(*Model) string
	item func(*Model) Item
}

// errIncomplete says that a list is not whole; it may be the next time.
var errIncomplete = errors.New("the list is incomplete, or it changed while it was read")

// listAll reads all pages. A list that is not whole is read once more, and is Unavailable then. A condition that Prism
// Central refuses is left out: biosUuid and categories of virtual machines, for example, can be filtered by since pc.7.6.
func listAll[Model, Item any](ctx context.Context, c *Client, l listing[Model, Item]) ([]Item, error) {
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
	return items, nil
}

func listTwice[Model, Item any](ctx context.Context, c *Client, l listing[Model, Item]) ([]Item, error) {
	items, err := listOnce(ctx, c, l)
	if errors.Is(err, errIncomplete) {
		items, err = listOnce(ctx, c, l)
	}
	return items, err
}

func listOnce[Model, Item any](ctx context.Context, c *Client, l listing[Model, Item]) ([]Item, error) {
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
			return nil, &Error{Operation: l.operation, Kind: Unavailable, Message: problem, Cause: errIncomplete}
		}
		if done {
			return kept, nil
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
	case total == nil && frame.empty():
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

// collect adds the items of a page to those that are kept, one after another: the vendor's models take many times the memory
// of ours, and are not to be there all at once. It gives what is wrong with an item: that it cannot be read, is without
// identity, or was seen before.
func collect[Model, Item any](page []byte, kept *[]Item, seen map[string]bool, l listing[Model, Item]) string {
	items := json.NewDecoder(bytes.NewReader(page))
	_, _ = items.Token()
	for items.More() {
		var model Model
		if err := decode(items.Decode, &model); err != nil {
			return fmt.Sprintf("an item cannot be read: %v", err)
		}
		id := l.key(&model)
		switch {
		case id == "":
			return "an item has no identity"
		case seen[id]:
			return "item " + id + " came twice"
		}
		seen[id] = true
		if item := l.item(&model); l.keep == nil || l.keep(&item) {
			*kept = append(*kept, item)
		}
	}
	return ""
}

func listPage[Model, Item any](ctx context.Context, c *Client, l listing[Model, Item], page int) (envelope, error) {
	query := url.Values{"$page": {strconv.Itoa(page)}, "$limit": {strconv.Itoa(pageLimit)}}
	if len(l.where) > 0 {
		query.Set("$filter", expression(l.where))
	}
	got, err := c.do(ctx, request{operation: l.operation, method: http.MethodGet, namespace: l.namespace, path: l.path, query: query})
	if err != nil {
		return envelope{}, err
	}
	var frame envelope
	err = json.Unmarshal(got.body, &frame)
	if err == nil && !frame.empty() && frame.Data[0] != '[' {
		err = errors.New("data is no list")
	}
	if err != nil {
		return envelope{}, unreadable(l.operation, got, err)
	}
	return frame, nil
}
