package prismsim

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// v4Answer is the answer of an operation. The envelope around the data is made when it is written.
type v4Answer struct {
	status int // default 200
	data   any // object, []object or nil
	etag   string
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
func flags(set map[string]bool) []object {
	out := []object{}
	for _, name := range []string{flagError, flagPaginated, flagTruncated} {
		out = append(out, typed("common.v1.config.Flag", object{"name": name, "value": set[name]}))
	}
	return out
}

// taskAnswer is the answer to a change: 202 and the task that does it.
func taskAnswer(t *task) *v4Answer {
	return &v4Answer{status: http.StatusAccepted, data: typed("prism.v4.config.TaskReference", object{"extId": taskID(t)})}
}

// write sends the answer in its envelope. The data of an empty list are left out.
func (a *v4Answer) write(w http.ResponseWriter, r *v4Request, responseType string) {
	if a.etag != "" {
		w.Header().Set("ETag", a.etag)
	}
	status := a.status
	if status == 0 {
		status = http.StatusOK
	}
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	envelope := typed(responseType, object{"metadata": a.metadata(r)})
	switch data := a.data.(type) {
	case object:
		envelope["$dataItemDiscriminator"], envelope["data"] = data[keyType], data
	case []object:
		if len(data) > 0 {
			name, _ := data[0][keyType].(string)
			envelope["$dataItemDiscriminator"], envelope["data"] = "List<"+name+">", data
		}
	}
	addReserved(envelope, r.minor)
	writeJSON(w, status, envelope)
}

func (a *v4Answer) metadata(r *v4Request) object {
	out := typed("common.v1.response.ApiResponseMetadata", object{
		"flags": flags(map[string]bool{flagPaginated: a.total != nil}),
		"links": []object{link("self", selfURL(r, r.URL.RequestURI()))},
	})
	if a.total != nil {
		out["totalAvailableResults"], out["links"] = *a.total, a.pageLinks(r)
	}
	return out
}

func link(rel, href string) object {
	return typed("common.v1.response.ApiLink", object{"rel": rel, "href": href})
}

// selfURL gives the address of a path on this server, in the words of whoever asked.
func selfURL(r *v4Request, path string) string { return "https://" + r.Host + path }

// selfLinks gives the links of an entity below the version in the path, for example "ahv/config/vms/<extId>".
func selfLinks(r *v4Request, path string) []object {
	return []object{link("self", selfURL(r, "/api/"+r.namespace+"/v4."+strconv.Itoa(r.minor)+"/"+path))}
}

func (a *v4Answer) pageLinks(r *v4Request) []object {
	last := max(0, (*a.total-1)/a.page.limit)
	number := a.page.number
	at := func(rel string, number int) object {
		query := r.URL.Query()
		query.Set("$page", strconv.Itoa(number))
		query.Set("$limit", strconv.Itoa(a.page.limit))
		return link(rel, selfURL(r, (&url.URL{Path: r.URL.Path, RawQuery: strings.ReplaceAll(query.Encode(), "%24", "$")}).RequestURI()))
	}
	out := []object{at("first", 0), at("self", number)}
	if number > 0 {
		out = append(out, at("prev", number-1))
	}
	if number < last {
		out = append(out, at("next", number+1))
	}
	return append(out, at("last", last))
}
