package v4

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Response is the response of an operation. The envelope is added when the response is written.
type Response struct {
	status int // default 200
	Data   any // Object, []Object or nil
	ETag   string
	// total is the number of entities that match a list request. It is nil for other responses.
	total *int
	page  page
}

// page identifies the requested page of a list.
type page struct{ number, limit int }

const (
	flagError     = "hasError"
	flagPaginated = "isPaginated"
	flagTruncated = "isTruncated"
)

// flags returns the flags that every response contains, with the values in set.
func flags(set map[string]bool) []Object {
	out := []Object{}
	for _, name := range []string{flagError, flagPaginated, flagTruncated} {
		out = append(out, Typed("common.v1.config.Flag", Object{"name": name, "value": set[name]}))
	}
	return out
}

// Accepted returns the response to an accepted change. It contains status 202 and the task of the change.
func Accepted(t *model.Task) *Response {
	return &Response{status: http.StatusAccepted, Data: Typed("prism.v4.config.TaskReference", Object{"extId": taskID(t)})}
}

// write sends the response in its envelope. The response to an empty list contains no data.
func (a *Response) write(w http.ResponseWriter, r *Request, responseType string) {
	if a.ETag != "" {
		w.Header().Set("ETag", a.ETag)
	}
	status := a.status
	if status == 0 {
		status = http.StatusOK
	}
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	envelope := Typed(responseType, Object{"metadata": a.metadata(r)})
	switch data := a.Data.(type) {
	case Object:
		envelope["$dataItemDiscriminator"], envelope["data"] = data[KeyType], data
	case []Object:
		if len(data) > 0 {
			name, _ := data[0][KeyType].(string)
			envelope["$dataItemDiscriminator"], envelope["data"] = "List<"+name+">", data
		}
	}
	addReserved(envelope, r.Minor)
	wire.WriteJSON(w, status, envelope)
}

func (a *Response) metadata(r *Request) Object {
	out := Typed("common.v1.response.ApiResponseMetadata", Object{
		"flags": flags(map[string]bool{flagPaginated: a.total != nil}),
		"links": []Object{link("self", selfURL(r, r.URL.RequestURI()))},
	})
	if a.total != nil {
		out["totalAvailableResults"], out["links"] = *a.total, a.pageLinks(r)
	}
	return out
}

func link(rel, href string) Object {
	return Typed("common.v1.response.ApiLink", Object{"rel": rel, "href": href})
}

// selfURL returns the URL of path on the host that the request was sent to.
func selfURL(r *Request, path string) string { return "https://" + r.Host + path }

// SelfLinks returns the links of an entity. path is relative to the version, for example "ahv/config/vms/<extId>".
func SelfLinks(r *Request, path string) []Object {
	return []Object{link("self", selfURL(r, "/api/"+r.Namespace+"/v4."+strconv.Itoa(r.Minor)+"/"+path))}
}

func (a *Response) pageLinks(r *Request) []Object {
	last := max(0, (*a.total-1)/a.page.limit)
	number := a.page.number
	at := func(rel string, number int) Object {
		query := r.URL.Query()
		query.Set("$page", strconv.Itoa(number))
		query.Set("$limit", strconv.Itoa(a.page.limit))
		return link(rel, selfURL(r, (&url.URL{Path: r.URL.Path, RawQuery: strings.ReplaceAll(query.Encode(), "%24", "$")}).RequestURI()))
	}
	out := []Object{at("first", 0), at("self", number)}
	if number > 0 {
		out = append(out, at("prev", number-1))
	}
	if number < last {
		out = append(out, at("next", number+1))
	}
	return append(out, at("last", last))
}
