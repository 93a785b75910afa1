package v4

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Response is the answer of an operation. The envelope around the data is made when it is written.
type Response struct {
	status int // default 200
	Data   any // object, []object or nil
	ETag   string
	// total is how many there are for a list, nil for everything else.
	total *int
	page  page
}

// page is the part of a list that was asked for.
type page struct{ number, limit int }

const (
	flagError     = "hasError"
	flagPaginated = "isPaginated"
	flagTruncated = "isTruncated"
)

// flags gives the flags that every answer has.
func flags(set map[string]bool) []Object {
	out := []Object{}
	for _, name := range []string{flagError, flagPaginated, flagTruncated} {
		out = append(out, Typed("common.v1.config.Flag", Object{"name": name, "value": set[name]}))
	}
	return out
}

// Accepted is the answer to a change: 202 and the task that does it.
func Accepted(t *model.Task) *Response {
	return &Response{status: http.StatusAccepted, Data: Typed("prism.v4.config.TaskReference", Object{"extId": taskID(t)})}
}

// write sends the answer in its envelope. The data of an empty list are left out.
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
		envelope["$dataItemDiscriminator"], envelope["data"] = data[keyType], data
	case []Object:
		if len(data) > 0 {
			name, _ := data[0][keyType].(string)
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

// selfURL gives the address of a path on this server, in the words of whoever asked.
func selfURL(r *Request, path string) string { return "https://" + r.Host + path }

// SelfLinks gives the links of an entity below the version in the path, for example "ahv/config/vms/<extId>".
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
