package gateway

import (
	"context"
	"errors"
	"log"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/go-logr/logr"
)

// methodOverrides lists headers with which some servers replace the method of a request. With such a header a request could bypass the
// checks of the gateway.
var methodOverrides = []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// handler returns the handler for all requests. It authenticates a request, checks the mode of the session and forwards the request.
func (g *Gateway) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		start := time.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		session := g.sessions.find(req)
		if session != nil && session.options.State != nil && req.URL.Path == statePath {
			session.options.State.ServeHTTP(recorder, req)
			return
		}
		// observe is deferred, because the proxy panics with http.ErrAbortHandler if a response is incomplete.
		defer func() { g.metrics.observe(req.Method, session, recorder.status, time.Since(start)) }()
		g.serve(recorder, req, session)
	})
}

func (g *Gateway) serve(w http.ResponseWriter, req *http.Request, session *Session) {
	if session == nil {
		g.metrics.refusals.WithLabelValues(ReasonUnauthorized).Inc()
		unauthorized().write(w, req)
		return
	}
	session.calls.add(req)
	if refusal := session.Mode().refuse(req); refusal != nil {
		g.fail(w, req, session, refusal)
		return
	}
	session.proxy.ServeHTTP(w, req)
}

// newProxy returns the handler that forwards the requests of a session. A request passes through powerTransport, createTransport,
// retryTransport and the pool, in this order. The pool sets the real credentials.
func (g *Gateway) newProxy(session *Session) http.Handler {
	retry := &retryTransport{next: session.upstream, retry: g.options.Retry, retries: g.metrics.retries}
	creates := &createTransport{next: retry, session: session, retry: g.options.RecordRetry, log: g.log, failures: g.metrics.recordFailures}
	power := &powerTransport{next: creates, mode: session.Mode, mayPowerOn: session.mayPowerOn}
	return &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			// The header contains the token. It is removed here, so that no later transport gets the token.
			pr.Out.Header.Del("Authorization")
			pr.Out.Header.Del("Cookie")
			if apiOf(pr.In) == apiV4 {
				// The responses must not be compressed, because the gateway reads them.
				pr.Out.Header.Del("Accept-Encoding")
			}
			for _, header := range methodOverrides {
				pr.Out.Header.Del(header)
			}
		},
		Transport: power,
		ModifyResponse: func(resp *http.Response) error {
			resp.Header.Del("Set-Cookie")
			session.reportDeletion(resp)
			ensureV4Error(resp)
			session.noteFailure(resp)
			return creates.observeTask(resp)
		},
		ErrorHandler: func(w http.ResponseWriter, req *http.Request, err error) { g.fail(w, req, session, err) },
		ErrorLog:     errorLog(g.log),
		// With a negative interval the proxy flushes each received part of a response immediately.
		FlushInterval: -1,
	}
}

// fail sends an error response for a request that was not forwarded or to which Prism Central did not respond.
func (g *Gateway) fail(w http.ResponseWriter, req *http.Request, session *Session, err error) {
	response := apiErrorOf(err, session.options.Upstream.Address)
	var refusal *apiError
	if errors.As(err, &refusal) {
		g.metrics.refusals.WithLabelValues(refusal.reason).Inc()
	}
	if !errors.Is(err, context.Canceled) {
		g.log.Info("Did not forward a request of a Terraform run", "object", session.options.Object, "mode", session.Mode().String(),
			"method", req.Method, "path", req.URL.Path, "reason", response.reason, "error", err.Error())
	}
	if apiOf(req) == apiV4 {
		session.failures.add(Failure{response.status, response.reason, response.message})
	}
	response.write(w, req)
}

// statusRecorder records the status of a response.
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

// Unwrap lets http.ResponseController find the original ResponseWriter, which can flush.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// errorLog returns a standard logger that writes to logger. Most messages are about broken connections of children that have ended.
func errorLog(logger logr.Logger) *log.Logger {
	return log.New(logWriter{logger}, "", 0)
}

type logWriter struct{ logr.Logger }

func (w logWriter) Write(line []byte) (int, error) {
	w.V(1).Info("Serving failed", "message", string(line))
	return len(line), nil
}
