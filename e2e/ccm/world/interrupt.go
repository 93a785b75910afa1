package world

import (
	"net/http"
	"sync/atomic"
	"time"
)

// Down is a Prism Central that cannot be reached.
func Down(*http.Request) Verdict {
	return Verdict{Status: http.StatusServiceUnavailable, ContentType: "text/plain", Body: "upstream is down"}
}

// changes tells whether a request wants to change something.
func changes(r *http.Request) bool {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	default:
		return false
	}
}

// CountWrites starts to count the requests that want to change something, and gives a function that ends it.
func (w *World) CountWrites() (end func() int) {
	var count atomic.Int64
	w.Proxy.Judge(func(r *http.Request) Verdict {
		if changes(r) {
			count.Add(1)
		}
		return Pass
	})
	return func() int {
		w.Proxy.Judge(nil)
		return int(count.Load())
	}
}

// HoldWrite holds the n-th request from now that wants to change something, or, when it shall be done, its answer; and all
// that comes later. The channel is closed when it is held.
func (w *World) HoldWrite(n int, done bool) (held <-chan struct{}) {
	var count atomic.Int64
	reached := make(chan struct{})
	w.Proxy.Judge(func(r *http.Request) Verdict {
		switch now := int(count.Load()); {
		case now >= n:
			return Verdict{HoldRequest: true}
		case !changes(r):
			return Pass
		}
		switch now := int(count.Add(1)); {
		case now < n:
			return Pass
		case now > n:
			return Verdict{HoldRequest: true}
		case done:
			return Verdict{HoldReply: true, Then: func() { close(reached) }}
		default:
			return Verdict{HoldRequest: true, Then: func() { close(reached) }}
		}
	})
	return reached
}

// Await waits until the channel is closed.
func (w *World) Await(channel <-chan struct{}, what string) {
	w.t.Helper()
	timer := time.NewTimer(w.Patience)
	defer timer.Stop()
	select {
	case <-channel:
	case <-timer.C:
		w.t.Fatalf("waiting for %s\n%s", what, w.tail())
	}
}
