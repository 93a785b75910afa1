// Package journal records requests.
package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// maxRequests limits the journal. When the journal is full, its older half is removed.
const maxRequests = 100_000

// Request is one entry of the request journal.
type Request struct {
	Time   time.Time `json:"time"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Query  string    `json:"query,omitempty"`
	Status int       `json:"status"` // 0: the connection was closed without a response
	User   string    `json:"user,omitempty"`
	Agent  string    `json:"agent,omitempty"` // the header User-Agent
	// RequestID and IfMatch are the headers NTNX-Request-Id and If-Match.
	RequestID string        `json:"requestID,omitempty"`
	IfMatch   string        `json:"ifMatch,omitempty"`
	Duration  time.Duration `json:"duration"` // nanoseconds
	Fault     string        `json:"fault,omitempty"`
	// Body is the request body with bootstrap data and secrets redacted. It is recorded only after a call of
	// RecordBodies(true).
	Body json.RawMessage `json:"body,omitempty"`
}

// Journal records requests.
type Journal struct {
	mu      sync.Mutex
	entries []Request
	Bodies  atomic.Bool
}

type entryKey struct{}

// EntryOf returns the journal entry of the request that ctx belongs to. It returns nil if the request is not recorded.
func EntryOf(ctx context.Context) *Request {
	entry, _ := ctx.Value(entryKey{}).(*Request)
	return entry
}

// statusWriter records the status of a response.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap returns the writer of the connection. http.ResponseController calls this method.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Record adds every request to the journal, including requests whose connection is closed without a response.
func (j *Journal) Record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entry := &Request{
			Time: time.Now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Agent: r.UserAgent(),
			RequestID: r.Header.Get("Ntnx-Request-Id"), IfMatch: r.Header.Get("If-Match"),
		}
		if j.Bodies.Load() {
			if raw, err := wire.PeekBody(r); err == nil && len(raw) > 0 {
				entry.Body = redact(raw)
			}
		}
		response := &statusWriter{ResponseWriter: w}
		defer func() {
			entry.Status = response.status
			entry.Duration = time.Since(entry.Time)
			j.add(*entry)
		}()
		next.ServeHTTP(response, r.WithContext(context.WithValue(r.Context(), entryKey{}, entry)))
	})
}

func (j *Journal) add(entry Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) >= maxRequests {
		j.entries = append([]Request(nil), j.entries[maxRequests/2:]...)
	}
	j.entries = append(j.entries, entry)
}

// List returns all entries, oldest first.
func (j *Journal) List() []Request {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]Request(nil), j.entries...)
}

// secretKeys are the JSON keys whose values are redacted.
var secretKeys = map[string]bool{
	"user_data": true, "meta_data": true, "unattend_xml": true, "custom_key_values": true, "password": true, "credentials": true,
	"sysprepScript": true,
}

// secretText reports whether a JSON key has a secret value in the cloud-init data of a v4 request. Other objects of the
// APIs have values with the same keys that are not strings.
func secretText(object map[string]any, key string) bool {
	_, isText := object[key].(string)
	return isText && (key == "metadata" || (key == "value" && strings.HasSuffix(fmt.Sprint(object["$objectType"]), ".Userdata")))
}

// redact replaces the values of secret keys. If the body is not JSON, redact replaces the whole body.
func redact(raw []byte) json.RawMessage {
	const redacted = "REDACTED"
	var body any
	if json.Unmarshal(raw, &body) != nil {
		body = redacted
	}
	var walk func(v any)
	walk = func(v any) {
		switch node := v.(type) {
		case map[string]any:
			for k, child := range node {
				if secretKeys[k] || secretText(node, k) {
					node[k] = redacted
					continue
				}
				walk(child)
			}
		case []any:
			for _, child := range node {
				walk(child)
			}
		}
	}
	walk(body)
	out, err := json.Marshal(body)
	if err != nil {
		return nil
	}
	return out
}
