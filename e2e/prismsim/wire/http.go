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

// CompareValues compares numbers by value and everything else as text.
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

// PeekBody reads the body of a request and puts it back, with the error that ended it.
func PeekBody(r *http.Request) ([]byte, error) {
	rest := r.Body
	raw, err := io.ReadAll(io.LimitReader(rest, MaxBody))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(raw), rest), rest}
	return raw, err
}

// MaxBody bounds a request body: cloud-init data is at most 32 KiB in practice, lists are tiny.
const MaxBody = 8 << 20

// Endpoint answers one request with a status and a body (nil: empty), or with an error.
type Endpoint func(r *http.Request) (int, any, error)

// ServeHTTP writes what the endpoint answers.
func (e Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	status, body, err := e(r)
	if err != nil {
		WriteError(w, err)
		return
	}
	WriteJSON(w, status, body)
}

func WriteJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if body == nil {
		return
	}
	// The client may have gone away; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(body)
}

// Marshal marshals a body that refers to the estate while the caller holds the mutex.
func Marshal(body any) json.RawMessage {
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err) // a struct of plain values always marshals
	}
	return raw
}

// Decode reads a JSON body. An empty body is an empty object, as the list calls of some clients send it.
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

// Timestamp writes a time as v3 does.
func Timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Recorder is an answer that can be given more than once.
type Recorder struct {
	header http.Header
	Status int
	body   bytes.Buffer
	Made   time.Time
}

// NewRecorder returns an answer without a body.
func NewRecorder() *Recorder {
	return &Recorder{header: http.Header{}, Status: http.StatusOK, Made: time.Now()}
}

func (a *Recorder) Header() http.Header { return a.header }

func (a *Recorder) WriteHeader(status int) { a.Status = status }

func (a *Recorder) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *Recorder) Replay(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.Status)
	// The client may have gone away; there is nobody left to tell.
	_, _ = w.Write(a.body.Bytes())
}

// Cut sends half of the body under the length of the whole, and closes the connection.
func (a *Recorder) Cut(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Length", strconv.Itoa(a.body.Len()))
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.body.Bytes()[:a.body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
