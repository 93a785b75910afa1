package prismsim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	defaultLength = 20
	maxLength     = 500
)

// listRequest is the body of every POST .../list.
type listRequest struct {
	Kind          string `json:"kind"`
	Filter        string `json:"filter"`
	Length        *int   `json:"length"`
	Offset        *int   `json:"offset"`
	SortAttribute string `json:"sort_attribute"`
	SortOrder     string `json:"sort_order"`
}

// listItem is an entity that can be listed: its attributes for filter and sort, and its body.
type listItem struct {
	uuid       string
	attributes attributes
	body       any
}

// list answers a list request over items in their natural order. The items are gathered and marshalled under the mutex,
// which is not held while the request is read.
func (api *v3API) list(r *http.Request, kind string, gather func() ([]listItem, error)) (int, any, error) {
	var request listRequest
	if err := decode(r, kind, &request); err != nil {
		return 0, nil, err
	}
	if err := request.check(kind); err != nil {
		return 0, nil, err
	}
	api.mu.Lock()
	defer api.mu.Unlock()
	items, err := gather()
	if err != nil {
		return 0, nil, err
	}
	rights := api.rights[accountOf(r.Context())]
	items = slices.DeleteFunc(items, func(item listItem) bool { return rights.hides(kind, item.uuid) })
	return request.answer(r, kind, items, api.rules)
}

func (l *listRequest) answer(r *http.Request, kind string, items []listItem, rules Rules) (int, any, error) {
	keep, err := parseFilter(l.Filter)
	if err != nil {
		return 0, nil, unprocessable(kind, "Invalid filter %q: %s.", l.Filter, err)
	}
	matches := []listItem{}
	for _, item := range items {
		ok, err := keep(item.attributes)
		if err != nil {
			return 0, nil, unprocessable(kind, "Invalid filter %q: %s.", l.Filter, err)
		}
		if ok {
			matches = append(matches, item)
		}
	}
	if err := l.sort(kind, matches); err != nil {
		return 0, nil, err
	}
	offset := min(orZero(l.Offset), len(matches))
	length := defaultLength
	if l.Length != nil {
		length = *l.Length
	}
	page := matches[offset:min(offset+length, len(matches))]
	if fault := faultOf(r.Context()); fault != nil && fault.Half {
		page = page[:(len(page)+1)/2]
	}
	entities := make([]json.RawMessage, 0, len(page))
	for _, item := range page {
		entities = append(entities, snapshot(item.body))
	}
	return http.StatusOK, map[string]any{
		"api_version": apiVersion, "metadata": l.output(kind, rules.total(len(matches)), len(page)), "entities": entities,
	}, nil
}

func (l *listRequest) check(kind string) error {
	switch {
	case l.Kind != "" && l.Kind != kind:
		return unprocessable(kind, "kind: %q is not one of ['%s'].", l.Kind, kind)
	case l.Length != nil && (*l.Length < 0 || *l.Length > maxLength):
		return unprocessable(kind, "length: %d is not between 0 and the maximum of %d.", *l.Length, maxLength)
	case orZero(l.Offset) < 0:
		return unprocessable(kind, "offset: %d is less than the minimum of 0.", *l.Offset)
	case !slices.Contains([]string{"", "ASCENDING", "DESCENDING"}, l.SortOrder):
		return unprocessable(kind, "sort_order: %q is not one of ['ASCENDING', 'DESCENDING'].", l.SortOrder)
	}
	return nil
}

func (l *listRequest) sort(kind string, items []listItem) error {
	if l.SortAttribute == "" {
		return nil
	}
	key := func(item listItem) string {
		values, _ := item.attributes(l.SortAttribute)
		return strings.Join(values, ",")
	}
	for _, item := range items {
		if _, known := item.attributes(l.SortAttribute); !known {
			return unprocessable(kind, "sort_attribute: unknown attribute %q.", l.SortAttribute)
		}
	}
	slices.SortStableFunc(items, func(a, b listItem) int {
		order := compareValues(key(a), key(b))
		if l.SortOrder == "DESCENDING" {
			return -order
		}
		return order
	})
	return nil
}

// compareValues compares numbers by value and everything else as text.
func compareValues(a, b string) int {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	switch {
	case errX != nil || errY != nil || x == y:
		return strings.Compare(a, b)
	case x < y:
		return -1
	}
	return 1
}

func (l *listRequest) output(kind string, total, length int) map[string]any {
	out := map[string]any{"kind": kind, "total_matches": total, "length": length, "offset": orZero(l.Offset)}
	for name, value := range map[string]string{"filter": l.Filter, "sort_attribute": l.SortAttribute, "sort_order": l.SortOrder} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

// table makes attributes out of a fixed set of values.
func table(values map[string]string) attributes {
	return func(name string) ([]string, bool) {
		v, ok := values[name]
		return []string{v}, ok
	}
}

func (api *v3API) listVMs(r *http.Request) (int, any, error) {
	return api.list(r, "vm", func() ([]listItem, error) {
		items := []listItem{}
		for _, m := range api.vms.listed(api.rules.lag("vm")) {
			if api.listable(m) { // "Entities that have not been created successfully are not listed."
				items = append(items, listItem{uuid: m.uuid, attributes: vmAttributes(m, api.estate), body: vmBody(m, api.estate)})
			}
		}
		return items, nil
	})
}

// vmAttributes gives the FIQL attributes of a VM.
func vmAttributes(m *machine, e *estate) attributes {
	res := m.live.Resources
	fixed := map[string]string{
		"name": m.live.Name, "vm_name": m.live.Name, "uuid": m.uuid, "vm_uuid": m.uuid, "power_state": m.power,
		"cluster_name": m.element.Name, "cluster_uuid": m.element.UUID, "cluster": m.element.UUID, "description": m.live.Description,
		"project_name": e.projectByUUID(m.project).Name, "project_uuid": m.project,
		"state": m.state, "creation_time": stamp(m.created), "host_name": "",
		"memory_size_mib": strconv.FormatInt(*res.MemorySizeMiB, 10), "num_sockets": strconv.FormatInt(*res.NumSockets, 10),
		"num_vcpus": strconv.FormatInt(*res.NumSockets**res.NumVCPUsPerSocket, 10),
	}
	if m.host != nil {
		fixed["host_name"] = m.host.Name
	}
	lookup := table(fixed)
	return func(name string) ([]string, bool) {
		switch name {
		case "category", "categories", "category_name": // values in the form key:value
			values := []string{}
			for key, assigned := range m.categories {
				for _, value := range assigned {
					values = append(values, key+":"+value)
				}
			}
			return values, true
		case "ip_addresses":
			values := []string{}
			for _, n := range m.liveNICs() {
				for _, endpoint := range n.IPEndpoints {
					values = append(values, endpoint.IP)
				}
			}
			return values, true
		}
		if key, isCategory := strings.CutPrefix(name, "categories."); isCategory {
			return m.categories[key], true
		}
		return lookup(name)
	}
}

func (api *v3API) listTasks(r *http.Request) (int, any, error) {
	return api.list(r, "task", func() ([]listItem, error) {
		items := []listItem{}
		for _, t := range api.tasks.listed(api.rules.lag("task")) {
			items = append(items, listItem{uuid: t.UUID, body: taskBody(t, api.rules), attributes: table(map[string]string{
				"uuid": t.UUID, "status": t.Status, "operation_type": t.Operation, "creation_time": stamp(t.Created),
				"entity_reference_list.uuid": t.VM, "entity_uuid": t.VM,
			})})
		}
		return items, nil
	})
}
