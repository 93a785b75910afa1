package prismv4

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The first of these rules that matches determines the kind of the error of a response. "Typed" is a response in the error format of Prism
// Central: an $objectType that ends with ".error.ErrorResponse", in data or, in the prism namespace, at the top (nutanix.ansible#841).
//
//	response                                   kind          source of the rule
//	----------------------------------------   -----------   -----------------------------------------------------------
//	2xx in JSON                                success       API reference of each operation
//	401 with any body                          Unauthorized  RFC 9110; the gateway's 401 has several formats
//	408, 429, 5xx, 3xx, other 2xx              Unavailable   RFC 9110; the SDKs retry 408, 429, 503, 504
//	no JSON                                    Unavailable   a proxy's page is text/html; Prism Central sends JSON
//	a code or group of the table codeKinds     see there     see there
//	404, typed, of VMs in the namespace vmm,   NotFound      only VMM-30100 VM_NOT_FOUND, because a Node may be deleted because
//	  with VMM-30100 or VM_NOT_FOUND                         of it, and CLUSTER_NOT_FOUND is not about the VM
//	404, typed, of others, "NOT_FOUND" in the  NotFound      networking sends NETWORKING-10060 without a group, so the text
//	  group or in the text                                   decides
//	500, NETWORKING-10060 that contains the    NotFound      nutanix.ansible#1153: the networking API sends it for a GET of an
//	  UUID of the object                                     object that does not exist
//	the same for a creation                    Invalid       an object to which the request refers does not exist
//	404 otherwise                              Unavailable   a wrong path (nutanix.ansible#889: JSON without a code), a
//	                                                         gateway without a backend
//	403                                        Forbidden     RFC 9110
//	412                                        Stale         RFC 9110: If-Match does not match
//	428                                        Invalid       RFC 6585: If-Match is missing
//	409 whose text is about versions           Stale         texts of the rule Stale below
//	400, 409, 422: texts of textRules          see there     texts of Prism Central, which has no code for them
//	409 otherwise                              Conflict      RFC 9110
//	other 4xx in JSON, schema validation too   Invalid       SchemaValidationError of every SDK's error model
//
// codeKinds and textRules also determine the kind of a failed task, which is Unavailable if no rule matches.

// codeKinds maps codes and error groups to kinds. The status does not matter for them.
var codeKinds = map[string]Kind{
	"VMM-30303":           Stale,       // VM_ETAG_MISMATCH, by HTTP or in a task (terraform-provider-nutanix, vmmv2)
	"VM_ETAG_MISMATCH":    Stale,       // group of VMM-30303
	"PLAT-10005":          Stale,       // "Invalid eTag header", 412 (nutanix.ansible#706)
	"PLAT-10004":          Invalid,     // MISSING_ETAG_HEADER (terraform-provider-nutanix#1231)
	"MISSING_ETAG_HEADER": Invalid,     // group of PLAT-10004
	"RATE_LIMIT_EXCEEDED": Unavailable, // prism-go-client, converged/v4/errors.go
	"RATE_LIMIT_ERROR":    Unavailable, // the same
}

// textRules maps the texts of errors that have no specific code to kinds. The order matters: the message about an exhausted address pool
// also contains that all addresses are in use.
var textRules = []struct {
	kind  Kind
	texts []string
}{
	{Stale, []string{"if-match header value", "etag mismatch", "etag does not match", "version mismatch", "concurrent modification"}},
	{Forbidden, []string{"permission", "privilege", "not authorized", "access denied", "access is denied"}},
	{Exhausted, []string{
		"quota", "exhausted", "limit reached", "limit is reached", "limit exceeded", "limit has been reached", "maximum number of", "insufficient",
		"no free", "no available", "none available", "not enough", "no ip address available", "no ip addresses available",
		"no more ip", "all addresses are in use",
	}},
	{Conflict, []string{
		"already in use", "is in use", "still in use", "currently in use", "already exist", "already reserved", "is reserved", "already assigned", "already allocated",
		"already associated", "already been", "overlap", "conflict", "duplicate", "must be unique", "not unique",
	}},
	{Invalid, []string{"invalid", "not supported", "unsupported", "malformed", "not allowed", "is required", "must be"}},
}

// goneTexts are texts of the networking API about an object that does not exist, for example NETWORKING-10060: "... as a referenced
// resource was not found - Existing subnet ... is not found".
var goneTexts = []string{"not found", "does not exist", "doesn't exist", "no longer exists"}

func containsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// message is one entry of the error in a response or a task.
type message struct {
	Code       string `json:"code"`
	ErrorGroup string `json:"errorGroup"`
	Message    string `json:"message"`
	Severity   string `json:"severity"`
}

// messages are the entries of an error. The models of the SDKs are not used, because they reject the whole response if one entry lacks its
// type.
type messages []message

// UnmarshalJSON decodes a list of AppMessages, or a SchemaValidationError as messages without a code. It ignores all other values.
func (m *messages) UnmarshalJSON(data []byte) error {
	type plain messages
	var list plain
	if json.Unmarshal(data, &list) == nil {
		*m = messages(list)
		return nil
	}
	var schema struct {
		Error            string `json:"error"`
		ValidationErrors []struct {
			Location      string `json:"location"`
			AttributePath string `json:"attributePath"`
			Message       string `json:"message"`
		} `json:"validationErrorMessages"`
	}
	if json.Unmarshal(data, &schema) != nil {
		return nil
	}
	for _, violation := range schema.ValidationErrors {
		*m = append(*m, message{Message: strings.TrimSpace(violation.AttributePath + " " + violation.Message)})
	}
	if len(*m) == 0 && schema.Error != "" {
		*m = messages{{Message: schema.Error}}
	}
	return nil
}

// text returns all messages in the order of the response.
func (m messages) text() string {
	var texts []string
	for _, one := range m {
		if one.Message != "" {
			texts = append(texts, one.Message)
		}
	}
	return strings.Join(texts, "; ")
}

// first returns the first message with a code or a group.
func (m messages) first() message {
	for _, one := range m {
		if one.Code != "" || one.ErrorGroup != "" {
			return one
		}
	}
	return message{}
}

// knownKind returns the kind of the first code or group in codeKinds.
func (m messages) knownKind() (Kind, bool) {
	for _, one := range m {
		for _, key := range []string{one.Code, one.ErrorGroup} {
			if kind, ok := codeKinds[key]; ok {
				return kind, true
			}
		}
		if strings.HasSuffix(one.ErrorGroup, "ETAG_MISMATCH") {
			return Stale, true
		}
	}
	return "", false
}

// textKind returns the kind of the first of textRules that matches.
func (m messages) textKind() (Kind, bool) {
	text := strings.ToLower(m.text())
	for _, rule := range textRules {
		if containsAny(text, rule.texts) {
			return rule.kind, true
		}
	}
	return "", false
}

// problem is an ErrorResponse.
type problem struct {
	ObjectType string   `json:"$objectType"`
	Error      messages `json:"error"`
}

const errorType = ".error.ErrorResponse"

// readProblem returns the error in a JSON response. ok is false if the response contains no error in the format of Prism Central.
func readProblem(body []byte) (found problem, ok bool) {
	var frame struct {
		problem
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &frame) != nil {
		return problem{}, false
	}
	if strings.HasSuffix(frame.ObjectType, errorType) {
		return frame.problem, true
	}
	if json.Unmarshal(frame.Data, &found) != nil || !strings.HasSuffix(found.ObjectType, errorType) {
		return problem{}, false
	}
	return found, true
}

// codeReferenceNotFound is the code of the networking API for any object that does not exist. codeVMNotFound and groupVMNotFound are the
// code and the group of the vmm API for a VM that does not exist.
const (
	codeReferenceNotFound = "NETWORKING-10060"
	codeVMNotFound        = "VMM-30100"
	groupVMNotFound       = "VM_NOT_FOUND"
	// imagePath is the path of images, which the vmm namespace contains, too.
	imagePath = "/content/"
)

// saysNotFound reports whether Prism Central responded that the requested object does not exist. An error about a path or another object
// is not such a response.
func (p problem) saysNotFound(status int, req request) bool {
	first, text := p.Error.first(), strings.ToLower(p.Error.text())
	switch {
	case first.Code == "" || strings.HasPrefix(first.Code, "PLAT-"):
		return false
	case status == http.StatusInternalServerError:
		return first.Code == codeReferenceNotFound && req.object != "" && strings.Contains(text, strings.ToLower(req.object))
	case status != http.StatusNotFound:
		return false
	}
	isVM := (req.namespace == VMM || strings.HasPrefix(p.ObjectType, VMM+".")) && !strings.HasPrefix(req.path, imagePath)
	if isVM {
		return slices.ContainsFunc(p.Error, func(m message) bool { return m.Code == codeVMNotFound || m.ErrorGroup == groupVMNotFound })
	}
	return slices.ContainsFunc(p.Error, func(m message) bool { return strings.Contains(m.ErrorGroup, "NOT_FOUND") }) || containsAny(text, goneTexts)
}

// classify returns the error of a response, or nil if the response is successful.
func classify(req request, got response, secrets *strings.Replacer) *Error {
	found, typed := problem{}, false
	if got.isJSON() {
		found, typed = readProblem(got.body)
	}
	if got.status >= 200 && got.status < 300 && got.isJSON() && !typed {
		return nil
	}
	first := found.Error.first()
	failure := &Error{
		Operation: req.operation, Status: got.status, Kind: kindOf(req, got, found), Code: first.Code, Group: first.ErrorGroup,
		Message: tidy(found.Error.text(), secrets), RetryAfter: retryAfter(got.header, time.Now()),
	}
	if failure.Message == "" && !got.isJSON() {
		failure.Message = fmt.Sprintf("the response has media type %q and not JSON, so Prism Central did not send it",
			tidy(got.header.Get("Content-Type"), secrets))
	}
	return failure
}

func kindOf(req request, got response, found problem) Kind {
	switch {
	case got.status == http.StatusUnauthorized:
		return Unauthorized
	case found.saysNotFound(got.status, req):
		if req.method == http.MethodPost && req.object == "" {
			return Invalid
		}
		return NotFound
	case got.status == http.StatusRequestTimeout, got.status == http.StatusTooManyRequests, got.status == http.StatusNotFound,
		got.status < 400, got.status >= 500, !got.isJSON():
		return Unavailable
	}
	if kind, ok := found.Error.knownKind(); ok {
		return kind
	}
	return kindOfRefusal(got.status, found.Error)
}

func kindOfRefusal(status int, found messages) Kind {
	byText, ok := found.textKind()
	switch {
	case status == http.StatusForbidden:
		return Forbidden
	case status == http.StatusPreconditionFailed:
		return Stale
	case status == http.StatusConflict && (!ok || byText == Invalid):
		return Conflict
	case status == http.StatusConflict, ok && (status == http.StatusBadRequest || status == http.StatusUnprocessableEntity):
		return byText
	default:
		return Invalid
	}
}

// maxMessage keeps an error short enough for an Event.
const maxMessage = 700

// tidy returns a text of a response as one line of limited length without the secrets.
func tidy(text string, secrets *strings.Replacer) string {
	text = strings.Join(strings.Fields(secrets.Replace(text)), " ")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	return text
}
