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

// Of returns the fault that applies to the request of ctx, or nil.
func Of(ctx context.Context) *Fault {
	fault, _ := ctx.Value(faultKey{}).(*Fault)
	return fault
}

// OfTask returns the fault that applies to the tasks of the request of ctx, or nil.
func OfTask(ctx context.Context) *Fault {
	if fault := Of(ctx); fault != nil && (fault.TaskError != "" || fault.TaskSilent) {
		return fault
	}
	return nil
}

// Inject applies the fault that matches a request. refuse writes the error responses.
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
			fault.response(w, r, refuse)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), faultKey{}, fault))
		if fault.Hold > 0 && !fault.hold(r, stop) {
			panic(http.ErrAbortHandler)
		}
		fault.work(w, r, stop, refuse, next)
	})
}

// hold waits until the time Hold has passed or the fault is cleared, even if the client disconnects. It returns false
// if the server closes. hold reads the body first, because the body cannot be read after the client has disconnected.
func (fault *Fault) hold(r *http.Request, stop <-chan struct{}) bool {
	_, _ = wire.PeekBody(r) // the handler receives the same error
	timer := time.NewTimer(fault.Hold)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-fault.cleared:
	case <-stop:
		return false
	}
	return true
}

// work handles a request and applies the effects on the response.
func (fault *Fault) work(w http.ResponseWriter, r *http.Request, stop <-chan struct{}, refuse wire.Refuser, next http.Handler) {
	if fault.DelayReply <= 0 && !fault.DropReply && fault.ReplyStatus == 0 && !fault.Cut {
		next.ServeHTTP(w, r)
		return
	}
	response := wire.NewRecorder()
	next.ServeHTTP(response, r)
	switch {
	case !Pause(r.Context(), stop, fault.DelayReply) || fault.DropReply:
		panic(http.ErrAbortHandler)
	case fault.ReplyStatus != 0:
		refuse(w, r, wire.ErrorWith(fault.ReplyStatus))
	case fault.Cut:
		response.Cut(w)
	default:
		response.Replay(w)
	}
}

// Pause waits for the duration d. It returns false if the context ends or the server closes first.
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

// response writes the response that the field Status describes.
func (fault *Fault) response(w http.ResponseWriter, r *http.Request, refuse wire.Refuser) {
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
