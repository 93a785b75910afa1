package v4

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/fault"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

const (
	defaultLimit = 50
	maxLimit     = 100
)

// Listing describes the queries that a list supports. Fields are property paths such as "cluster/extId". A path into a
// list is written without any(), for example "categories/extId".
type Listing struct {
	Filters []string
	Orders  []string
	// Expands are the supported values of $expand. The items passed to Respond must already contain the expanded
	// properties.
	Expands []string
}

// Respond filters, sorts and pages items. It returns the selected properties of the items on the requested page.
func (l Listing) Respond(r *Request, items []Object) (*Response, error) {
	return l.RespondWith(r, items, func(item Object) Object { return item })
}

// RespondWith is like Respond, but items contain only the properties that filtering and sorting use. view returns the
// complete item.
func (l Listing) RespondWith(r *Request, items []Object, view func(Object) Object) (*Response, error) {
	query := r.URL.Query()
	want, err := readPage(query.Get("$page"), query.Get("$limit"))
	if err != nil {
		return nil, err
	}
	items = slices.DeleteFunc(items, func(item Object) bool {
		id, _ := item["extId"].(string)
		return r.rights.Hides(r.kind, id)
	})
	if items, err = l.filter(items, query.Get("$filter")); err != nil {
		return nil, err
	}
	if err := l.sort(items, query.Get("$orderby")); err != nil {
		return nil, err
	}
	if expand := query.Get("$expand"); expand != "" && !slices.Contains(l.Expands, expand) {
		return nil, badQuery(r.Namespace, "$expand with "+expand+" is not supported")
	}
	if apply := query.Get("$apply"); apply != "" {
		return nil, invalidQuery("$apply", "%s is not supported by this simulation", apply)
	}
	total := r.Rules.Total(len(items))
	start := min(want.number*want.limit, len(items))
	items = items[start:min(start+want.limit, len(items))]
	if fault := fault.Of(r.Context()); fault != nil && fault.Half {
		items = items[:(len(items)+1)/2]
	}
	out := make([]Object, 0, len(items))
	for _, item := range items {
		item = view(item)
		if names := query.Get("$select"); names != "" && names != "*" {
			item = item.selected(strings.Split(strings.ReplaceAll(names, " ", ""), ","))
		}
		out = append(out, item)
	}
	return &Response{Data: out, total: &total, page: want}, nil
}

// readPage parses $page and $limit. Its error messages are the messages of the API's schema check.
func readPage(number, limit string) (page, error) {
	out := page{limit: defaultLimit}
	for _, p := range []struct {
		name, text  string
		into        *int
		least, most int
	}{{"$page", number, &out.number, 0, 1 << 31}, {"$limit", limit, &out.limit, 1, maxLimit}} {
		if p.text == "" {
			continue
		}
		n, err := strconv.Atoi(p.text)
		switch {
		case err != nil:
			return page{}, invalidQuery(p.name, `Instance type (string) does not match any allowed primitive type (allowed: ["integer"])`)
		case n < p.least:
			return page{}, invalidQuery(p.name, "Numeric instance is lower than the required minimum (minimum: %d, found: %d)", p.least, n)
		case n > p.most:
			return page{}, invalidQuery(p.name, "Numeric instance is greater than the required maximum (maximum: %d, found: %d)", p.most, n)
		}
		*p.into = n
	}
	return out, nil
}

func (l Listing) filter(items []Object, text string) ([]Object, error) {
	if strings.TrimSpace(text) == "" {
		return items, nil
	}
	keep, err := parseOData(text, l.Filters)
	if err != nil {
		return nil, invalidQuery("$filter", "Invalid filter expression %s: %s", text, err)
	}
	out := []Object{}
	for _, item := range items {
		if keep(scope{root: item}) {
			out = append(out, item)
		}
	}
	return out, nil
}

// sort sorts items. text is the value of $orderby: "name", "name desc" or a list of these.
func (l Listing) sort(items []Object, text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	criteria := strings.Split(text, ",")
	slices.Reverse(criteria) // sorting is stable, so the most important criterion is applied last
	for _, criterion := range criteria {
		words := strings.Fields(criterion)
		if len(words) == 0 || len(words) > 2 || !slices.Contains(l.Orders, words[0]) ||
			(len(words) == 2 && words[1] != "asc" && words[1] != "desc") {
			return invalidQuery("$orderby", "Invalid orderby expression %s", text)
		}
		path := strings.Split(words[0], "/")
		slices.SortStableFunc(items, func(a, b Object) int {
			x, _ := valueText(field(a, path))
			y, _ := valueText(field(b, path))
			if len(words) == 2 && words[1] == "desc" {
				return wire.CompareValues(y, x)
			}
			return wire.CompareValues(x, y)
		})
	}
	return nil
}

// badQuery returns the error response of the service of a namespace to an invalid query parameter.
func badQuery(namespace, reason string) *Error {
	if namespace == "prism" {
		return &Error{
			Status: http.StatusBadRequest, Code: "CTGRS-50033",
			Message: "Query parameters validation failed because " + reason + " for this API.",
		}
	}
	return invalidQuery("$expand", "%s", reason)
}
