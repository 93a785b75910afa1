package wire

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// CompareValues compares two values. If both are numbers, it compares them numerically; otherwise it compares strings.
func CompareValues(a, b string) int {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	switch {
	case errX != nil || errY != nil || x == y:
		return strings.Compare(a, b)
	case x < y:
		return -1
	}
	return 1
}

// PeekBody reads the body of a request and restores the body for the next reader. If reading fails, the next reader
// gets the same data and the same error.
func PeekBody(r *http.Request) ([]byte, error) {
	rest := r.Body
	raw, err := io.ReadAll(io.LimitReader(rest, MaxBody))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(raw), rest), rest}
	return raw, err
}

// MaxBody is the maximum size of a request body in bytes. Cloud-init data has at most 32 KiB in practice.
const MaxBody = 8 << 20

// Endpoint handles a request. It returns an HTTP status and a body, or an error. If the body is nil, the response is
// empty.
type Endpoint func(r *http.Request) (int, any, error)

// ServeHTTP calls the endpoint and writes its response.
func (e Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	status, body, err := e(r)
	if err != nil {
		WriteError(w, err)
		return
	}
	WriteJSON(w, status, body)
}

// WriteJSON writes a response. If body is nil, the response has no body.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if body == nil {
		return
	}
	// The client may have disconnected.
	_ = json.NewEncoder(w).Encode(body)
}

// Marshal encodes a body as JSON. Callers hold the mutex, because bodies refer to data that the mutex protects.
func Marshal(body any) json.RawMessage {
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err) // structs of plain values always marshal
	}
	return raw
}

// Decode decodes a JSON body. An empty body counts as an empty object, because some clients send list requests without
// a body.
func Decode(r *http.Request, kind string, into any) error {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return &Error{Status: http.StatusBadRequest, Kind: kind, Reason: ReasonInvalidRequest, Message: "Request body could not be read."}
	}
	if len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return &Error{
			Status: http.StatusBadRequest, Kind: kind, Reason: ReasonInvalidRequest,
			Message: "Request could not be processed.", Details: map[string]string{"parse_error": err.Error()},
		}
	}
	return nil
}

// Timestamp formats a time for v3.
func Timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Recorder is an http.ResponseWriter that stores a response, so that the server can send the response several times.
type Recorder struct {
	header http.Header
	Status int
	body   bytes.Buffer
	Made   time.Time
}

// NewRecorder returns a Recorder with an empty body and status 200.
func NewRecorder() *Recorder {
	return &Recorder{header: http.Header{}, Status: http.StatusOK, Made: time.Now()}
}

// Header returns the header of the response.
func (a *Recorder) Header() http.Header { return a.header }

// WriteHeader stores the status.
func (a *Recorder) WriteHeader(status int) { a.Status = status }

// Write appends to the body.
func (a *Recorder) Write(b []byte) (int, error) { return a.body.Write(b) }

// Replay sends the stored response.
func (a *Recorder) Replay(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.Status)
	// The client may have disconnected.
	_, _ = w.Write(a.body.Bytes())
}

// Cut sends the first half of the body with the Content-Length of the whole body, and closes the connection.
func (a *Recorder) Cut(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Length", strconv.Itoa(a.body.Len()))
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.body.Bytes()[:a.body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
