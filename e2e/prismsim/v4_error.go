package prismsim

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"
)

// v4Error is an answer that refuses a request in the v4 form: an ErrorResponse with one AppMessage, or with a
// SchemaValidationError when location is set.
type v4Error struct {
	status    int
	code      string // for example "VMM-30100"
	group     string // for example "VM_NOT_FOUND"
	message   string
	arguments map[string]string
	location  string // what the schema refuses, for example "@query.$limit"
}

func (e *v4Error) Error() string {
	return fmt.Sprintf("refusing request: %d %s %s: %s", e.status, e.code, e.group, e.message)
}

// invalidQuery refuses a query parameter as the schema check in front of every v4 API does.
func invalidQuery(name, format string, args ...any) *v4Error {
	return &v4Error{status: http.StatusBadRequest, location: "@query." + name, message: fmt.Sprintf(format, args...)}
}

// invalidBody refuses a body; the field is empty for the body as a whole.
func invalidBody(field, format string, args ...any) *v4Error {
	location := "@body"
	if field != "" {
		location += "." + field
	}
	return &v4Error{status: http.StatusBadRequest, location: location, message: fmt.Sprintf(format, args...)}
}

// appMessage is the error in the form of a namespace ("prism" for the messages of tasks).
func (e *v4Error) appMessage(namespace string) object {
	fields := object{"code": e.code, "message": e.message, "severity": "ERROR", "locale": "en-US"}
	if e.group != "" {
		fields["errorGroup"] = e.group
	}
	if len(e.arguments) > 0 {
		fields["argumentsMap"] = maps.Clone(e.arguments)
	}
	return typed(namespace+".v4.error.AppMessage", fields)
}

// response is the ErrorResponse of a namespace.
func (e *v4Error) response(namespace, path string) object {
	prefix := namespace + ".v4.error."
	if e.location == "" {
		return typed(prefix+"ErrorResponse", object{
			"$errorItemDiscriminator": "List<" + prefix + "AppMessage>", "error": []object{e.appMessage(namespace)},
		})
	}
	return typed(prefix+"ErrorResponse", object{
		"$errorItemDiscriminator": prefix + "SchemaValidationError",
		"error": typed(prefix+"SchemaValidationError", object{
			"error": http.StatusText(e.status), "statusCode": e.status, "path": path, "timestamp": time.Now().UTC().Format(time.RFC3339Nano),
			"validationErrorMessages": []object{
				typed(prefix+"SchemaValidationErrorMessage", object{"location": e.location, "message": e.message}),
			},
		}),
	})
}

// write answers with the error. Most namespaces put the ErrorResponse into an envelope of the operation's type, prism and
// everything in front of the operations answer it bare.
func (e *v4Error) write(w http.ResponseWriter, r *v4Request, responseType string) {
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", basicRealm)
	}
	body := e.response(r.namespace, r.URL.Path)
	if responseType != "" && r.namespace != "prism" {
		body = typed(responseType, object{
			"$dataItemDiscriminator": r.namespace + ".v4.error.ErrorResponse", "data": body,
			"metadata": typed("common.v1.response.ApiResponseMetadata", object{"flags": flags(map[string]bool{flagError: true})}),
		})
	}
	addReserved(body, r.minor)
	writeJSON(w, e.status, body)
}

// asV4Error turns any error into one of the v4 form.
func asV4Error(err error) *v4Error {
	var refused *v4Error
	if errors.As(err, &refused) {
		return refused
	}
	var v3 *apiError
	if !errors.As(err, &v3) {
		return &v4Error{status: http.StatusInternalServerError, code: "PLAT-10000", group: "INTERNAL_ERROR", message: err.Error()}
	}
	out := &v4Error{status: v3.status, code: "PLAT-10000", group: v3.reason, message: v3.message}
	if v3.status == http.StatusTooManyRequests {
		out.code = "PLAT-10003"
	}
	return out
}

// missingURL answers what is not served, as the web server of Prism Central does: a 404 without any code.
func missingURL(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusNotFound, map[string]string{
		"message": "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.",
	})
}

// writeRefusal answers an error that arises in front of the operations, in the form of the API that was called.
func writeRefusal(w http.ResponseWriter, r *http.Request, refused *apiError) {
	if namespace, minor, isV4 := v4Path(r.URL.Path); isV4 {
		asV4Error(refused).write(w, &v4Request{Request: r, namespace: namespace, minor: minor}, "")
		return
	}
	writeError(w, refused)
}
