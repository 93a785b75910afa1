package prism

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const (
	basePath = "/api/nutanix/v3/"
	// pageLength is the page length of the provider and of prism-go-client. Some kinds refuse larger pages.
	pageLength = 100
	// maxPages is the limit for lists that do not end.
	maxPages = 1000
	// maxResponse is the largest response that is read, in bytes.
	maxResponse = 64 << 20
	// maxError is the maximum number of bytes that are read of an error body.
	maxError = 64 << 10
)

// get reads one entity into out. It escapes the segments of the path.
func (c *Client) get(ctx context.Context, out any, segments ...string) error {
	escaped := make([]string, len(segments))
	for i, segment := range segments {
		escaped[i] = url.PathEscape(segment)
	}
	return c.call(ctx, http.MethodGet, strings.Join(escaped, "/"), nil, out)
}

// post sends in and reads the response into out. All POST requests of this package only read.
func (c *Client) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("writing the request for %s: %w", path, err)
	}
	return c.call(ctx, http.MethodPost, path, body, out)
}

func (c *Client) call(ctx context.Context, method, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, "https://"+c.address+basePath+path, bytes.NewReader(body))
	if err != nil {
		return &InvalidError{Field: "prismCentral.address", Reason: fmt.Sprintf("%q is not a host", c.address)}
	}
	if body == nil {
		req.Body = http.NoBody
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("requesting %s from Prism Central %s: %w", path, c.address, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		return c.statusError(path, resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxResponse)).Decode(out); err != nil {
		return &ResponseError{Address: c.address, Path: path, Err: err}
	}
	return nil
}

// statusError returns the error of a response with an error status.
func (c *Client) statusError(path string, resp *http.Response) error {
	reason, message := errorBody(resp.Body)
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		return &AuthenticationError{Address: c.address, Status: resp.StatusCode, Message: message}
	}
	return &StatusError{Address: c.address, Path: path, Status: resp.StatusCode, Reason: reason, Message: message}
}

// errorBody returns the first entry of message_list, which is at the top level or in status.
func errorBody(body io.Reader) (reason, message string) {
	type list []struct {
		Message string `json:"message"`
		Reason  string `json:"reason"`
	}
	var top struct {
		MessageList list            `json:"message_list"`
		Status      json.RawMessage `json:"status"`
	}
	data, _ := io.ReadAll(io.LimitReader(body, maxError))
	if json.Unmarshal(data, &top) != nil {
		return "", ""
	}
	if len(top.MessageList) == 0 && len(top.Status) > 0 {
		// If the status is a string, it contains no list.
		_ = json.Unmarshal(top.Status, &top)
	}
	if len(top.MessageList) == 0 {
		return "", ""
	}
	return top.MessageList[0].Reason, top.MessageList[0].Message
}

// listRequest is the body of POST <kind>s/list.
type listRequest struct {
	Kind   string `json:"kind"`
	Filter string `json:"filter,omitempty"`
	Length int    `json:"length"`
	Offset int    `json:"offset"`
}

type listResponse[T any] struct {
	Metadata struct {
		TotalMatches int `json:"total_matches"`
	} `json:"metadata"`
	Entities []T `json:"entities"`
}

// list returns all entities of a kind ("subnet"), page by page. The filter may be empty. A full page never counts as the last one,
// because total_matches is only eventually consistent and can be too small. Callers must check every entity, because some kinds ignore
// the filter.
func list[T any](ctx context.Context, c *Client, kind, filter string) ([]T, error) {
	var all []T
	for range maxPages {
		var page listResponse[T]
		request := listRequest{Kind: kind, Filter: filter, Length: pageLength, Offset: len(all)}
		if err := c.post(ctx, kind+"s/list", request, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Entities...)
		short := len(page.Entities) < pageLength
		if len(page.Entities) == 0 || short && len(all) >= page.Metadata.TotalMatches {
			return all, nil
		}
	}
	return nil, &ResponseError{Address: c.address, Path: kind + "s/list", Err: fmt.Errorf("the list does not end after %d pages", maxPages)}
}

// equals returns a FIQL filter for a name. It returns an empty filter if the name contains a character that FIQL may interpret,
// because v3 does not document how to escape them. Callers then compare the names of all entities.
func equals(attribute, name string) string {
	for _, r := range name {
		safe := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
		if !safe {
			return ""
		}
	}
	return attribute + "==" + name
}
