package gateway

import (
	"context"
	"errors"
	"log"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/go-logr/logr"

	"github.com/capnt/capnt/internal/prism/transport"
)

// overrides are headers by which some servers let a request be taken for one of another method.
var overrides = []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// handler finds the session, asks its mode and forwards.
func (g *Gateway) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		start := time.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		session := g.sessions.find(req)
		// Deferred, because an answer that breaks off ends the handler by a panic (http.ErrAbortHandler).
		defer func() { g.metrics.observe(req.Method, session, recorder.status, time.Since(start)) }()
		g.serve(recorder, req, session)
	})
}

func (g *Gateway) serve(w http.ResponseWriter, req *http.Request, session *Session) {
	if session == nil {
		g.metrics.refusals.WithLabelValues(ReasonUnauthorized).Inc()
		unauthorized().write(w)
		return
	}
	session.calls.Add(1)
	if refusal := session.options.Mode.refuse(req); refusal != nil {
		g.metrics.refusals.WithLabelValues(refusal.reason).Inc()
		g.log.Info("Refused a request of a Terraform run", "object", session.options.Object, "mode", session.options.Mode.String(),
			"method", req.Method, "path", req.URL.Path)
		refusal.write(w)
		return
	}
	session.proxy.ServeHTTP(w, req)
}

// newProxy is the way of a session's requests: createTransport records creates, the repeater repeats reads, the pool puts the
// real credentials in place of the token.
func (g *Gateway) newProxy(session *Session) http.Handler {
	repeater := &repeater{next: session.upstream, bound: g.options.Retry, retries: g.metrics.retries}
	creates := &createTransport{next: repeater, session: session, retry: g.options.RecordRetry, log: g.log, failures: g.metrics.recordFailures}
	return &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			// The transport sets these again; here they end with the request that carried them.
			pr.Out.Header.Del("Authorization")
			pr.Out.Header.Del("Cookie")
			for _, header := range overrides {
				pr.Out.Header.Del(header)
			}
		},
		Transport: creates,
		ModifyResponse: func(resp *http.Response) error {
			resp.Header.Del("Set-Cookie")
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, req *http.Request, err error) { g.fail(w, req, session, err) },
		ErrorLog:     errorLog(g.log),
		// Negative: what Prism Central has sent is passed on at once.
		FlushInterval: -1,
	}
}

// fail answers a request that Prism Central did not.
func (g *Gateway) fail(w http.ResponseWriter, req *http.Request, session *Session, err error) {
	problem := problemOf(err, session.options.Upstream.Address)
	if !errors.Is(err, context.Canceled) {
		g.log.Info("Forwarding a request failed", "object", session.options.Object, "method", req.Method, "path", req.URL.Path,
			"reason", problem.reason, "error", err.Error())
	}
	problem.write(w)
}

// refuse says why a request may not pass in this mode, nil when it may.
func (m Mode) refuse(req *http.Request) *problem {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return &problem{status: http.StatusMethodNotAllowed, reason: ReasonMethod, message: "the gateway does not forward " + req.Method + " requests"}
	}
	if m == ReadWrite || transport.IsRead(req) {
		return nil
	}
	return &problem{
		status:  http.StatusForbidden,
		reason:  ReasonReadOnly,
		message: "this run may only read from Prism Central; " + req.Method + " " + req.URL.Path + " could change something",
	}
}

// statusRecorder remembers the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	if status >= http.StatusOK {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController flush.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// errorLog gives the standard library's complaints (broken connections, mostly of children that ended) to log.
func errorLog(logger logr.Logger) *log.Logger {
	return log.New(logWriter{logger}, "", 0)
}

type logWriter struct{ logr.Logger }

func (w logWriter) Write(line []byte) (int, error) {
	w.V(1).Info("Serving failed", "message", string(line))
	return len(line), nil
}
