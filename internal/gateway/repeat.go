package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// sentCreates contains the v4 creates of a session that Prism Central has not certainly refused, by the name of the VM.
type sentCreates struct {
	mu     sync.Mutex
	byName map[string]*sentCreate
}

// sentCreate is a create that was sent once. The other fields are valid when ended is closed.
type sentCreate struct {
	name    string
	ended   chan struct{}
	outcome outcome
	// result describes an unknown outcome.
	result string
	// status, header and body are the response to an accepted create.
	status int
	header http.Header
	body   []byte
}

// begin returns the create of the VM that was sent before. If there is none, it returns a new one, for which the caller must call end.
func (s *sentCreates) begin(name string) (create *sentCreate, isNew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.byName[name]; before != nil {
		return before, false
	}
	if s.byName == nil {
		s.byName = map[string]*sentCreate{}
	}
	s.byName[name] = &sentCreate{name: name, ended: make(chan struct{})}
	return s.byName[name], true
}

// end records the response to a create. A create that was certainly refused may be sent again.
func (s *sentCreates) end(create *sentCreate, resp *http.Response, result outcome, err error) {
	create.outcome = result
	switch {
	case result == accepted:
		create.status, create.header = resp.StatusCode, resp.Header.Clone()
		create.body, _ = io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(bytes.NewReader(create.body))
	case err != nil:
		create.result = "no response: " + err.Error()
	default:
		create.result = "status " + resp.Status
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if result == refused {
		delete(s.byName, create.name)
	}
	close(create.ended)
}

// response returns the response to a repeated create.
func (c *sentCreate) response(req *http.Request) (*http.Response, error) {
	if c.outcome != accepted {
		return nil, &apiError{status: http.StatusConflict, reason: ReasonUnconfirmed, message: fmt.Sprintf(
			"the create of virtual machine %q was not sent again: this run has sent it before (%s), and Prism Central may have created the virtual machine",
			c.name, c.result)}
	}
	resp := &http.Response{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: c.header.Clone(), Request: req}
	setResponse(resp, c.status, c.body)
	return resp, nil
}

// createOnce sends a v4 create unless the session has sent the create of this VM before. The v4 SDK repeats a create after status 408, 429,
// 503 and 504, and Prism Central may have executed it. A repeated create gets the response to the first one, or an error if the outcome of
// the first one is unknown. It is sent only if the first one was certainly refused.
func (t *createTransport) createOnce(req *http.Request, api createAPI, body []byte) (*http.Response, error) {
	for {
		create, isNew := t.session.sent.begin(api.request(body).Name)
		if isNew {
			resp, result, err := t.create(req, api, body)
			t.session.sent.end(create, resp, result, err)
			return resp, err
		}
		select {
		case <-create.ended:
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
		if create.outcome != refused {
			return create.response(req)
		}
	}
}
