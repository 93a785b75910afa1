package terraform

import (
	"cmp"
	"net/http"
	"regexp"
	"strconv"
)

// Patterns for errors of the provider. Provider 1.9.5 prints the body of an error response as JSON: {"code": 422, "message_list":
// [{"message": "...", "reason": "INVALID_ARGUMENT"}]}. A response of the v4 API contains errorGroup and not reason. For status 400 and
// 401 the provider prints a fixed text and not the body (client.CheckResponse).
var (
	responseCode   = regexp.MustCompile(`"code": ?"?(\d{3})\b|status(?: code)?:? ?"?(\d{3})\b`)
	responseReason = regexp.MustCompile(`"(?:reason|errorGroup)": ?"([A-Z][A-Z0-9_]+)"|reason: ?([A-Z][A-Z0-9_]+)`)
	// taskReason matches the error code of a failed task, with which the error details of the task begin.
	taskReason = regexp.MustCompile(`error_detail: ([A-Za-z_]{6,}):`)
	apiPath    = regexp.MustCompile(`/api/nutanix/|/api/(?:vmm|prism|clustermgmt|networking)/v4`)
)

// isPrismError reports whether the text of an error contains a response of Prism Central or of the gateway, or the URL of a request.
func isPrismError(text string) bool {
	return apiPath.MatchString(text) || responseReason.MatchString(text) && responseCode.MatchString(text)
}

// reasonClasses maps reasons to classes, if the class differs from that of the HTTP status. Reasons with the prefix GATEWAY_ come from
// package gateway.
var reasonClasses = map[string]Class{
	"GATEWAY_SESSION_UNKNOWN":           Transient, // the session ended before the run; the next run has a new session
	"GATEWAY_READ_ONLY":                 Invalid,
	"GATEWAY_METHOD_NOT_ALLOWED":        Invalid,
	"GATEWAY_POWER_STATE":               Transient, // the power state changed after the plan was made; the next run observes it
	"GATEWAY_CREATE_NOT_RECORDED":       Transient,
	"GATEWAY_CREATE_UNCONFIRMED":        Transient, // the create intent is resolved before the next run
	"GATEWAY_REQUEST_TOO_LARGE":         Rejected,
	"GATEWAY_CERTIFICATE_NOT_TRUSTED":   Certificate,
	"GATEWAY_PRISM_CENTRAL_TIMEOUT":     Unreachable,
	"GATEWAY_PRISM_CENTRAL_UNREACHABLE": Unreachable,

	"AUTHENTICATION_REQUIRED":         Authentication,
	"ACCESS_DENIED":                   Permission,
	"ENTITY_NOT_FOUND":                NotFound,
	"VM_ETAG_MISMATCH":                Transient, // the VM has changed since the provider read it
	"CONCURRENT_REQUESTS_NOT_ALLOWED": Transient,
	"RATE_LIMIT_EXCEEDED":             Transient,
	"INTERNAL_ERROR":                  Transient,
	"NoHostResources":                 Quota,
}

// exhausted matches reasons for a lack of quota, capacity or licenses.
var exhausted = regexp.MustCompile(`QUOTA|SHORTAGE|INSUFFICIENT|EXHAUSTED|LICENSE`)

// classifyPrismError returns the class of an error of the provider. It uses the reason in the response. If the
// response contains no reason, it uses the HTTP status. If there is no status either, it uses the words of the text.
func classifyPrismError(text string) Class {
	reason := firstGroup(taskReason, text)
	if reason == "" {
		reason = firstGroup(responseReason, text)
	}
	code, _ := strconv.Atoi(firstGroup(responseCode, text))
	if class := classifyResponse(reason, code); class != Unknown {
		return class
	}
	return match(providerRules, text)
}

// classifyResponse returns the class for the reason and the HTTP status of a response, or Unknown. Both may be empty.
func classifyResponse(reason string, status int) Class {
	if class, known := reasonClasses[reason]; known {
		return class
	}
	if exhausted.MatchString(reason) {
		return Quota
	}
	return classifyStatus(status)
}

// classifyStatus returns the class for an HTTP error status.
func classifyStatus(code int) Class {
	switch {
	case code == http.StatusUnauthorized:
		return Authentication
	case code == http.StatusForbidden:
		return Permission
	case code == http.StatusNotFound:
		return NotFound
	case code == http.StatusRequestTimeout, code == http.StatusConflict, code == http.StatusPreconditionFailed, code == http.StatusTooManyRequests,
		code >= http.StatusInternalServerError:
		return Transient
	case code >= http.StatusBadRequest:
		return Rejected
	default:
		return Unknown
	}
}

// firstGroup returns the first group in the first match of pattern that is not empty.
func firstGroup(pattern *regexp.Regexp, text string) string {
	groups := pattern.FindStringSubmatch(text)
	if groups == nil {
		return ""
	}
	return cmp.Or(groups[1:]...)
}

// providerRules classify errors of the provider by their text. They apply to errors that contain neither a reason nor an HTTP status in
// the format of Prism Central, for example after a failed connection or a failed task.
var providerRules = []rule{
	{Authentication, regexp.MustCompile(`(?i)invalid auth credentials|authentication required|invalid authentication configuration|missing credentials|client is missing|\b401\b.{0,3}unauthorized`)},
	{Permission, regexp.MustCompile(`(?i)\b403\b.{0,3}forbidden|access denied|permission denied`)},
	{Rejected, regexp.MustCompile(`(?i)\bbad request\b|spec validation|unprocessable entity`)},
	{Transient, regexp.MustCompile(`(?i)too many requests|rate limit|throttl|\b(?:429|50[0-4]) [A-Z][a-z]+`)},
	{NotFound, regexp.MustCompile(`(?i)entity not found|does not exist in prism|could not find .*(?:image|subnet|cluster|project)|did not find any`)},
	{Quota, regexp.MustCompile(`(?i)\bquota\b.{0,60}(?:exceed|reach|limit|insufficient|violat)|(?:exceed|insufficient|not enough|violat).{0,60}\bquota\b|exceeds? (?:the )?(?:available|capacity|remaining)|` +
		`insufficient (?:resource|memory|cpu|capacity|storage|space)|not enough (?:resource|memory|cpu|capacity|storage|space|free)|no host has enough|resources? exhausted|no space left|` +
		`no (?:available|free) ip|ip (?:address )?pool.{0,40}exhausted|out of (?:memory|capacity|ip)|license (?:limit|violation)`)},
	{Transient, regexp.MustCompile(`(?i)giving up after \d+ attempt|connection (?:refused|reset|timed out|closed)|broken pipe|tls handshake timeout|i/o timeout|no such host|network is unreachable|no route to host|` +
		`server misbehaving|unexpected eof|json: eof|: eof\b|server closed idle|http2: |unexpected end of json|invalid character '<'|temporarily unavailable|service unavailable|bad gateway|` +
		`gateway time-?out|internal server error|edit conflict`)},
	{Timeout, regexp.MustCompile(`(?i)timeout while waiting|context deadline exceeded|client\.timeout|timed out|request timeout|deadlineexceeded`)},
	{Rejected, regexp.MustCompile(`(?i)invalid_argument|invalid argument`)},
}
