package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

const (
	// maxErrorBytes limits the body of an error response that is passed to the child.
	maxErrorBytes = 1 << 20
	// maxErrorText is the maximum length of the text of a response in an error of the gateway, in runes.
	maxErrorText = 300
)

// ensureV4Error replaces a response to a v4 request that provider 2.4 cannot read by an error in the form of the v4 API. Other responses
// stay as they are. It replaces
//
//   - an error whose body is not a JSON object, because the provider reports a syntax error instead of its text
//   - a response of type text/html, because the SDK returns it instead of its body and the provider crashes
//   - a redirect, because the SDK follows it to a server that the gateway has not verified
func ensureV4Error(resp *http.Response) {
	if apiOf(resp.Request) != apiV4 || resp.Request.Method == http.MethodHead {
		return
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	failed := resp.StatusCode >= http.StatusBadRequest
	redirect := !failed && resp.StatusCode >= http.StatusMultipleChoices && resp.Header.Get("Location") != ""
	if !failed && !redirect && kind != "text/html" {
		return
	}
	// The beginning of a body is sufficient, so an error of the connection does not matter.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBytes))
	_ = resp.Body.Close()
	if failed && isObject(body) {
		setResponse(resp, resp.StatusCode, body)
		return
	}
	failure := &apiError{status: http.StatusBadGateway, reason: ReasonUnreadable}
	if failed && resp.StatusCode != http.StatusNotFound { // such a 404 does not come from Prism Central and is not about the object
		failure.status = resp.StatusCode
	}
	request := resp.Request.Method + " " + resp.Request.URL.Path
	failure.message = fmt.Sprintf("%s: the response has status %s and is not JSON: %s", request, resp.Status, shortText(body))
	if redirect {
		failure.message = fmt.Sprintf("%s: the response is a redirect (status %s), which the gateway does not pass on", request, resp.Status)
		resp.Header.Del("Location")
	}
	setResponse(resp, failure.status, failure.v4Body(apiNamespace(resp.Request)))
}

// isObject reports whether body is a JSON object.
func isObject(body []byte) bool {
	return json.Valid(body) && bytes.HasPrefix(bytes.TrimSpace(body), []byte("{"))
}

// setResponse sets the status of a response and a JSON body.
func setResponse(resp *http.Response, status int, body []byte) {
	resp.StatusCode, resp.Status = status, fmt.Sprintf("%d %s", status, http.StatusText(status))
	resp.Body, resp.ContentLength, resp.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	resp.Header.Set("Content-Type", "application/json")
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	resp.Header.Del("Content-Encoding")
}

var markup = regexp.MustCompile(`<[^>]*>`)

// shortText returns the beginning of a body without markup, on one line.
func shortText(body []byte) string {
	text := []rune(strings.Join(strings.Fields(markup.ReplaceAllString(strings.ToValidUTF8(string(body), ""), " ")), " "))
	switch {
	case len(text) == 0:
		return "it has no text"
	case len(text) > maxErrorText:
		return string(text[:maxErrorText]) + "..."
	}
	return string(text)
}

// apiNamespace returns the namespace of a v4 request, for example "vmm".
func apiNamespace(req *http.Request) string {
	namespace, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/api/"), "/")
	return namespace
}

// v4Body returns the error as the body of an error response of the v4 API. Its code is the HTTP status, because Prism Central has no code
// for errors of the gateway. The message contains status and reason, too, because provider 2.4 prints only the message of most errors.
func (e *apiError) v4Body(namespace string) []byte {
	prefix := namespace + ".v4.error."
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // the provider prints the body
	err := encoder.Encode(map[string]any{
		"$dataItemDiscriminator": prefix + "ErrorResponse",
		"data": map[string]any{
			"$objectType": prefix + "ErrorResponse", "$errorItemDiscriminator": "List<" + prefix + "AppMessage>",
			"error": []any{map[string]any{
				"$objectType": prefix + "AppMessage", "severity": "ERROR", "code": strconv.Itoa(e.status), "errorGroup": e.reason,
				"message": fmt.Sprintf("status %d, reason: %s: %s", e.status, e.reason, e.message),
			}},
		},
	})
	if err != nil { // marshalling strings cannot fail
		panic(err)
	}
	return body.Bytes()
}
