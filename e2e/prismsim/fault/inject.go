package fault

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/journal"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

type faultKey struct{}

// Of gives the fault that the work on this request shall suffer, or nil.
func Of(ctx context.Context) *Fault {
	fault, _ := ctx.Value(faultKey{}).(*Fault)
	return fault
}

// OfTask gives the fault that a task started by this request shall suffer, or nil.
func OfTask(ctx context.Context) *Fault {
	if fault := Of(ctx); fault != nil && fault.TaskError != "" {
		return fault
	}
	return nil
}

// Inject applies the fault that matches a request. refuse writes the refusals.
func (f *Faults) Inject(stop <-chan struct{}, refuse wire.Refuser, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault := f.match(r)
		if fault == nil {
			next.ServeHTTP(w, r)
			return
		}
		if entry := journal.EntryOf(r.Context()); entry != nil {
			entry.Fault = fault.ID
		}
		if !Pause(r.Context(), stop, fault.Delay) || fault.Drop {
			panic(http.ErrAbortHandler) // closes the connection
		}
		if fault.Status != 0 {
			fault.answer(w, r, refuse)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), faultKey{}, fault))
		if fault.Hold > 0 && !hold(r, stop, fault.Hold) {
			panic(http.ErrAbortHandler)
		}
		fault.work(w, r, stop, next)
	})
}

// hold waits whether or not the client stays. It returns false when the server closes. The request is read first, because its
// body cannot be read any more when the client has gone away.
func hold(r *http.Request, stop <-chan struct{}, d time.Duration) bool {
	_, _ = wire.PeekBody(r) // the work meets an error of reading again
	return Pause(context.Background(), stop, d)
}

// work serves a request and lets its response suffer the fault.
func (fault *Fault) work(w http.ResponseWriter, r *http.Request, stop <-chan struct{}, next http.Handler) {
	if fault.DelayReply <= 0 && !fault.DropReply && !fault.Cut {
		next.ServeHTTP(w, r)
		return
	}
	answer := wire.NewRecorder()
	next.ServeHTTP(answer, r)
	switch {
	case !Pause(r.Context(), stop, fault.DelayReply) || fault.DropReply:
		panic(http.ErrAbortHandler)
	case fault.Cut:
		answer.Cut(w)
	default:
		answer.Replay(w)
	}
}

// Pause waits; it is false when the client went away or the server closes.
func Pause(ctx context.Context, stop <-chan struct{}, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-stop:
	}
	return false
}

// answer writes the fault's status with the body that Prism Central would send.
func (fault *Fault) answer(w http.ResponseWriter, r *http.Request, refuse wire.Refuser) {
	if fault.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((fault.RetryAfter+time.Second-1)/time.Second)))
	}
	if fault.Body != "" {
		contentType := fault.ContentType
		contentType = cmp.Or(contentType, "application/json")
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(fault.Status)
		_, _ = w.Write([]byte(fault.Body))
		return
	}
	refuse(w, r, wire.ErrorWith(fault.Status))
}
