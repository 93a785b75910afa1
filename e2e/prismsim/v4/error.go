package v4

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Error is the refusal of a request in the form of v4: an ErrorResponse with an AppMessage, or with a SchemaValidationError when
// location is set.
type Error struct {
	Status    int
	Code      string // for example "VMM-30100"
	Group     string // for example "VM_NOT_FOUND"
	Message   string
	Arguments map[string]string
	location  string // location of the value that the schema refuses, for example "@query.$limit"
}

// Error returns status, code, group and message.
func (e *Error) Error() string {
	return fmt.Sprintf("refusing request: %d %s %s: %s", e.Status, e.Code, e.Group, e.Message)
}

// invalidQuery refuses a query parameter as the schema check of v4 does.
func invalidQuery(name, format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, location: "@query." + name, Message: fmt.Sprintf(format, args...)}
}

// InvalidBody refuses a field of a body, or the whole body when the field is empty.
func InvalidBody(field, format string, args ...any) *Error {
	location := "@body"
	if field != "" {
		location += "." + field
	}
	return &Error{Status: http.StatusBadRequest, location: location, Message: fmt.Sprintf(format, args...)}
}

// appMessage returns the error as an AppMessage of a namespace. Messages of tasks are of namespace "prism".
func (e *Error) appMessage(namespace string) Object {
	fields := Object{"code": e.Code, "message": e.Message, "severity": "ERROR", "locale": "en-US"}
	if e.Group != "" {
		fields["errorGroup"] = e.Group
	}
	if len(e.Arguments) > 0 {
		fields["argumentsMap"] = maps.Clone(e.Arguments)
	}
	return Typed(namespace+".v4.error.AppMessage", fields)
}

// response returns the ErrorResponse of a namespace.
func (e *Error) response(namespace, path string) Object {
	prefix := namespace + ".v4.error."
	if e.location == "" {
		return Typed(prefix+"ErrorResponse", Object{
			"$errorItemDiscriminator": "List<" + prefix + "AppMessage>", "error": []Object{e.appMessage(namespace)},
		})
	}
	return Typed(prefix+"ErrorResponse", Object{
		"$errorItemDiscriminator": prefix + "SchemaValidationError",
		"error": Typed(prefix+"SchemaValidationError", Object{
			"error": http.StatusText(e.Status), "statusCode": e.Status, "path": path, "timestamp": time.Now().UTC().Format(time.RFC3339Nano),
			"validationErrorMessages": []Object{
				Typed(prefix+"SchemaValidationErrorMessage", Object{"location": e.location, "message": e.Message}),
			},
		}),
	})
}

// write sends the error. Most namespaces send the ErrorResponse in an envelope of the operation's type. Namespace prism, and what
// handles requests before the operations, send it without one.
func (e *Error) write(w http.ResponseWriter, r *Request, responseType string) {
	if e.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", wire.BasicRealm)
	}
	body := e.response(r.Namespace, r.URL.Path)
	if responseType != "" && r.Namespace != "prism" {
		body = Typed(responseType, Object{
			"$dataItemDiscriminator": r.Namespace + ".v4.error.ErrorResponse", "data": body,
			"metadata": Typed("common.v1.response.ApiResponseMetadata", Object{"flags": flags(map[string]bool{flagError: true})}),
		})
	}
	addReserved(body, r.Minor)
	wire.WriteJSON(w, e.Status, body)
}

// asV4Error converts any error to an Error.
func asV4Error(err error) *Error {
	var refused *Error
	if errors.As(err, &refused) {
		return refused
	}
	var v3 *wire.Error
	if !errors.As(err, &v3) {
		return &Error{Status: http.StatusInternalServerError, Code: "PLAT-10000", Group: "INTERNAL_ERROR", Message: err.Error()}
	}
	out := &Error{Status: v3.Status, Code: "PLAT-10000", Group: v3.Reason, Message: v3.Message}
	if v3.Status == http.StatusTooManyRequests {
		out.Code = "PLAT-10003"
	}
	return out
}

// missingURL handles paths that do not exist as the web server of Prism Central does, with 404 and no code.
func missingURL(w http.ResponseWriter, _ *http.Request) {
	wire.WriteJSON(w, http.StatusNotFound, map[string]string{
		"message": "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.",
	})
}

// WriteRefusal writes the refusal of a request before it reaches an operation, in the form of v3 or v4 according to its path.
func WriteRefusal(w http.ResponseWriter, r *http.Request, refused *wire.Error) {
	if namespace, minor, isV4 := splitPath(r.URL.Path); isV4 {
		asV4Error(refused).write(w, &Request{Request: r, Namespace: namespace, Minor: minor}, "")
		return
	}
	wire.WriteError(w, refused)
}
