package v4

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Error is an error response in the format of v4. It is an ErrorResponse with an AppMessage, or with a
// SchemaValidationError if location is set.
type Error struct {
	Status    int
	Code      string // for example "VMM-30100"
	Group     string // for example "VM_NOT_FOUND"
	Message   string
	Arguments map[string]string
	location  string // location of the value that violates the schema, for example "@query.$limit"
}

// Error returns the status, code, group and message.
func (e *Error) Error() string {
	return fmt.Sprintf("refusing request: %d %s %s: %s", e.Status, e.Code, e.Group, e.Message)
}

// InvalidPath returns the error response of the v4 schema check to an invalid ID in the path.
func InvalidPath(name, value string) *Error {
	return &Error{
		Status: http.StatusBadRequest, location: "@path." + name,
		Message: `ECMA 262 regex "^[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}$" does not match input string "` + value + `"`,
	}
}

// invalidQuery returns the error response of the v4 schema check to an invalid query parameter.
func invalidQuery(name, format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, location: "@query." + name, Message: fmt.Sprintf(format, args...)}
}

// InvalidBody returns the error response to an invalid field of a body. If field is empty, the whole body is invalid.
func InvalidBody(field, format string, args ...any) *Error {
	location := "@body"
	if field != "" {
		location += "." + field
	}
	return &Error{Status: http.StatusBadRequest, location: location, Message: fmt.Sprintf(format, args...)}
}

// appMessage returns the error as an AppMessage of a namespace. The messages of tasks use the namespace "prism".
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

// response returns the error as an ErrorResponse of a namespace.
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

// write sends the error. Most namespaces send the ErrorResponse in an envelope that has the operation's response type.
// The namespace prism sends it without an envelope, and so does the code that handles requests before they reach an
// operation.
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

// AsError converts an error of any type to an Error.
func AsError(err error) *Error {
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

// NoSuchVM returns the error response to a request for a VM that does not exist.
func NoSuchVM(id string) *Error {
	return &Error{
		Status: http.StatusNotFound, Code: "VMM-30100", Group: "VM_NOT_FOUND", Arguments: map[string]string{"vm_uuid": id},
		Message: "Failed to perform the operation on the VM with UUID '" + id + "', because it is not found.",
	}
}

// NoSuchEntity returns the error response to a request for an entity other than a VM that does not exist.
func NoSuchEntity(code, what, id string) *Error {
	return &Error{
		Status: http.StatusNotFound, Code: code, Group: "ENTITY_NOT_FOUND", Message: what + " with extId " + id + " was not found.",
	}
}

// missingURL handles requests for paths that do not exist. Like the web server of Prism Central, it responds with 404
// and no error code.
func missingURL(w http.ResponseWriter, _ *http.Request) {
	wire.WriteJSON(w, http.StatusNotFound, map[string]string{
		"message": "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.",
	})
}

// WriteRefusal writes the error response to a request that does not reach an operation. The path of the request
// determines whether the response has the format of v3 or of v4.
func WriteRefusal(w http.ResponseWriter, r *http.Request, refused *wire.Error) {
	if namespace, minor, isV4 := splitPath(r.URL.Path); isV4 {
		AsError(refused).write(w, &Request{Request: r, Namespace: namespace, Minor: minor}, "")
		return
	}
	wire.WriteError(w, refused)
}
