package gateway

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// page returns a handler that responds with a body of a content type.
func page(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestUnreadableV4ErrorIsReplaced(t *testing.T) {
	const html = "<html><head><title>502 Bad Gateway</title></head>\n<body><h1>nginx</h1></body></html>"
	redirect := func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("X-Redirect-Token", "NTNX_IGW_SESSION=x")
		http.Redirect(w, req, "https://elsewhere.invalid/", http.StatusFound)
	}
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"data":`)
	}
	for name, test := range map[string]struct {
		path    string
		handler http.HandlerFunc
		status  int
		message string
	}{
		"page of a proxy":          {v4VM, page(http.StatusForbidden, "text/html", html), http.StatusForbidden, "status 403 Forbidden and is not JSON: 502 Bad Gateway nginx"},
		"page with a charset":      {v4VM, page(http.StatusForbidden, "text/html;charset=utf-8", html), http.StatusForbidden, "502 Bad Gateway nginx"},
		"404 of a proxy":           {v4VM, page(http.StatusNotFound, "text/html", html), http.StatusBadGateway, "status 404 Not Found and is not JSON"},
		"text":                     {v4VM, page(http.StatusConflict, "text/plain", "busy"), http.StatusConflict, "is not JSON: busy"},
		"no text":                  {v4VM, page(http.StatusConflict, "application/json", ""), http.StatusConflict, "it has no text"},
		"incomplete JSON":          {v4VM, cut, http.StatusConflict, `is not JSON: {"data":`},
		"JSON that is no object":   {v4VM, page(http.StatusConflict, "application/json", `["busy"]`), http.StatusConflict, `is not JSON: ["busy"]`},
		"long text":                {v4VM, page(http.StatusConflict, "text/plain", strings.Repeat("ä", 2000)), http.StatusConflict, strings.Repeat("ä", maxErrorText) + "..."},
		"too long JSON":            {v4VM, page(http.StatusConflict, "application/json", `{"a":"`+strings.Repeat("x", maxErrorBytes)+`"}`), http.StatusConflict, "is not JSON"},
		"page instead of a VM":     {v4VM, page(http.StatusOK, "text/html", html), http.StatusBadGateway, "status 200 OK and is not JSON"},
		"redirect":                 {v4VM, redirect, http.StatusBadGateway, "is a redirect (status 302 Found)"},
		"version of a namespace":   {"/api/vmm/unversioned/info", page(http.StatusForbidden, "text/html", html), http.StatusForbidden, "is not JSON"},
		"another namespace":        {"/api/prism/v4.2/config/categories", page(http.StatusForbidden, "text/html", html), http.StatusForbidden, "is not JSON"},
		"preview of a v4 version":  {"/api/vmm/v4.0.b1/ahv/config/vms/1", page(http.StatusForbidden, "text/html", html), http.StatusForbidden, "is not JSON"},
		"JSON of the type of HTML": {v4VM, page(http.StatusOK, "text/html", "{}"), http.StatusBadGateway, "is not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			central := newCentral(t, test.handler)
			child := childOf(t, open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw")}))
			child.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			resp, err := child.http.Do(child.request(t, http.MethodGet, test.path, ""))
			if !assert.NoError(t, err) {
				return
			}
			body, err := io.ReadAll(resp.Body)
			assert.NoError(t, err)
			assert.NoError(t, resp.Body.Close())
			assert.Equal(t, test.status, resp.StatusCode)
			assert.Equal(t, "application/json", resp.Header.Get("Content-Type"))
			assert.Empty(t, resp.Header.Get("Location"))
			assert.Equal(t, ReasonUnreadable, reasonOf(t, string(body)))
			assert.Contains(t, v4ErrorOf(t, string(body)).Message, test.message)
			assert.Contains(t, v4ErrorOf(t, string(body)).Message, "GET "+test.path)
		})
	}
}

func TestReadableV4ResponseIsUnchanged(t *testing.T) {
	const body = `{"data":{"$objectType":"vmm.v4.error.ErrorResponse","error":[{"message":"<b>no such VM</b>","errorGroup":"VM_NOT_FOUND"}]}}`
	for name, test := range map[string]struct {
		path, contentType, body string
		status                  int
		wantType                string
	}{
		"error":                        {v4VM, "application/json", body, http.StatusNotFound, "application/json"},
		"error that claims to be HTML": {v4VM, "text/html", body, http.StatusConflict, "application/json"},
		"VM":                           {v4VM, "application/json", `{"data":{}}`, http.StatusOK, "application/json"},
		"file of an image":             {"/api/vmm/v4.2/content/images/1/file", "application/octet-stream", "\x00\x01", http.StatusOK, "application/octet-stream"},
		"page on a path of v3":         {"/api/nutanix/v3/vms/1", "text/html", "<html>", http.StatusForbidden, "text/html"},
	} {
		t.Run(name, func(t *testing.T) {
			central := newCentral(t, page(test.status, test.contentType, test.body))
			child := childOf(t, open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw")}))
			resp, err := child.http.Do(child.request(t, http.MethodGet, test.path, ""))
			if !assert.NoError(t, err) {
				return
			}
			got, err := io.ReadAll(resp.Body)
			assert.NoError(t, err)
			assert.NoError(t, resp.Body.Close())
			assert.Equal(t, test.status, resp.StatusCode)
			assert.Equal(t, test.wantType, resp.Header.Get("Content-Type"))
			assert.Equal(t, test.body, string(got))
		})
	}
}

func TestV4ResponsesAreNotCompressed(t *testing.T) {
	central := newCentral(t, ok)
	child := childOf(t, open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw")}))
	for _, path := range []string{v4VM, v3VM} {
		child.do(t, http.MethodGet, path, "") // net/http asks for compression
	}
	assert.Empty(t, central.seen()[0].header.Get("Accept-Encoding"))
	assert.Equal(t, "gzip", central.seen()[1].header.Get("Accept-Encoding"))
}
