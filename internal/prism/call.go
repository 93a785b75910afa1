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
	// pageLength is what the provider and prism-go-client ask for; larger pages are refused by some kinds.
	pageLength = 100
	// maxPages ends a list that does not end by itself.
	maxPages = 1000
	// maxReply is the largest answer that is read.
	maxReply = 64 << 20
	// maxError is how much of an error body is read.
	maxError = 64 << 10
)

// get asks for one entity; the segments are path-escaped.
func (c *Client) get(ctx context.Context, out any, segments ...string) error {
	escaped := make([]string, len(segments))
	for i, segment := range segments {
		escaped[i] = url.PathEscape(segment)
	}
	return c.call(ctx, http.MethodGet, strings.Join(escaped, "/"), nil, out)
}

// post sends in and reads out. All POST requests here are reads.
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
		return &InvalidError{Field: "prismCentral.address", Reason: fmt.Sprintf("%q makes no URL", c.address)}
	}
	if body == nil {
		req.Body = http.NoBody
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("asking Prism Central %s for %s: %w", c.address, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		return c.refusal(path, resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxReply)).Decode(out); err != nil {
		return &ReplyError{Address: c.address, Path: path, Err: err}
	}
	return nil
}

// refusal turns an answer that is no success into an error.
func (c *Client) refusal(path string, resp *http.Response) error {
	reason, message := errorBody(resp.Body)
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		return &AuthenticationError{Address: c.address, Status: resp.StatusCode, Message: message}
	}
	return &StatusError{Address: c.address, Path: path, Status: resp.StatusCode, Reason: reason, Message: message}
}

// errorBody reads the first entry of message_list, which stands at the top level or under status.
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
		// status is an object, or a string: then there is nothing to read.
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

type listReply[T any] struct {
	Metadata struct {
		TotalMatches int `json:"total_matches"`
	} `json:"metadata"`
	Entities []T `json:"entities"`
}

// list reads all pages of a kind ("subnet"). filter may be empty; what it lets pass has to be compared again.
func list[T any](ctx context.Context, c *Client, kind, filter string) ([]T, error) {
	var all []T
	for range maxPages {
		var page listReply[T]
		request := listRequest{Kind: kind, Filter: filter, Length: pageLength, Offset: len(all)}
		if err := c.post(ctx, kind+"s/list", request, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Entities...)
		total := page.Metadata.TotalMatches
		if len(page.Entities) == 0 || total > 0 && len(all) >= total || total == 0 && len(page.Entities) < pageLength {
			return all, nil
		}
	}
	return nil, &ReplyError{Address: c.address, Path: kind + "s/list", Err: fmt.Errorf("the list does not end after %d pages", maxPages)}
}

// equals is a FIQL filter that selects name, or nothing when name holds a character that means something in FIQL: how
// v3 escapes those is not documented and differs by kind, so such names are found by comparing all.
func equals(attribute, name string) string {
	for _, r := range name {
		safe := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
		if !safe {
			return ""
		}
	}
	return attribute + "==" + name
}
