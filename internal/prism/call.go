package prism

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/capnt/capnt/internal/prism/transport"
)

const (
	basePath = "/api/nutanix/v3/"
	// userAgent distinguishes the requests of this package from those of the provider.
	userAgent = "capnt-manager"
	// pageLength is the number of entities per page. The provider and prism-go-client use the same number. For some kinds Prism Central
	// rejects larger pages.
	pageLength = 100
	// maxPages limits the number of pages that are read, in case Prism Central never returns a last page.
	maxPages = 1000
	// maxResponse is the maximum size of a response in bytes.
	maxResponse = 64 << 20
	// maxError is the maximum number of bytes that are read from the body of an error response.
	maxError = 64 << 10
)

// get reads one entity into out. segments are the unescaped segments of its path.
func (c *Client) get(ctx context.Context, out any, segments ...string) error {
	escaped := make([]string, len(segments))
	for i, segment := range segments {
		escaped[i] = url.PathEscape(segment)
	}
	return c.call(ctx, http.MethodGet, strings.Join(escaped, "/"), nil, out)
}

// post sends in as JSON and reads the response into out. All POST requests of this package only read data.
func (c *Client) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("writing the request for %s: %w", path, err)
	}
	return c.call(ctx, http.MethodPost, path, body, out)
}

func (c *Client) call(ctx context.Context, method, path string, body []byte, out any) error {
	ctx, end, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	req, err := http.NewRequestWithContext(ctx, method, "https://"+c.address+basePath+path, bytes.NewReader(body))
	if err != nil {
		return &InvalidError{Field: "prismCentral.address", Reason: fmt.Sprintf("%q is not a host", c.address)}
	}
	if body == nil {
		req.Body = http.NoBody
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", userAgent)
	resp, err := c.http.Do(req)
	var refused *transport.CredentialsRefusedError
	var notResponding *NotRespondingError
	switch {
	case err == nil:
	case errors.As(err, &refused):
		return &AuthenticationError{Address: c.address, Status: http.StatusUnauthorized, RetryAt: refused.RetryAt}
	case errors.As(context.Cause(ctx), &notResponding):
		return notResponding
	default:
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

// statusError returns the error for a response with an error status.
func (c *Client) statusError(path string, resp *http.Response) error {
	reason, message := errorBody(resp.Body)
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		return c.authenticationError(resp.StatusCode, message)
	}
	return &StatusError{Address: c.address, Path: path, Status: resp.StatusCode, Reason: reason, Message: message}
}

func (c *Client) authenticationError(status int, message string) *AuthenticationError {
	failure := &AuthenticationError{Address: c.address, Status: status, Message: message}
	var refused *transport.CredentialsRefusedError
	if status == http.StatusUnauthorized && errors.As(c.transport.Refused(), &refused) {
		failure.RetryAt = refused.RetryAt
	}
	return failure
}

// errorBody returns the reason and the message in the first entry of message_list. The list is either at the top level of the body or in
// status.
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
		// The error is ignored, because a status that is a string contains no list.
		_ = json.Unmarshal(top.Status, &top)
	}
	if len(top.MessageList) == 0 {
		return "", ""
	}
	return top.MessageList[0].Reason, top.MessageList[0].Message
}

// listRequest is the body of a request POST <kind>s/list.
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

// list returns all entities of a kind, for example "subnet". It reads all pages. filter may be empty. list reads on after every full
// page, because total_matches is only eventually consistent and can be too small. Callers must check every returned entity, because Prism
// Central ignores the filter for some kinds.
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

// equals returns a FIQL filter that selects the entities whose attribute equals name. If name contains a character that FIQL may
// interpret, the filter is empty, because the documentation of v3 does not say how to escape such characters. An empty filter selects all
// entities, so callers must compare the names in the response.
func equals(attribute, name string) string {
	for _, r := range name {
		safe := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
		if !safe {
			return ""
		}
	}
	return attribute + "==" + name
}
