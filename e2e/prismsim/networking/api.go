package networking

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
)

// API serves the networking namespace of the v4 API. It owns what that API alone has: load balancer sessions, floating
// IPs and static routes.
type API struct {
	*model.Central
	rules       Rules
	sessions    model.Collection[session]
	floatingIPs model.Collection[floatingIP]
	tables      []*routeTable
}

func New(e *model.Central, rules Rules) *API {
	api := &API{Central: e, rules: rules}
	for _, v := range e.VPCs {
		api.tables = append(api.tables, &routeTable{VPC: v, uuid: inventory.DeriveUUID("route_table", v.UUID)})
	}
	return api
}

// Register adds the operations of the networking namespace.
func (api *API) Register(r *v4.Router) {
	handle := func(method, path, responseType string, e v4.Endpoint) {
		r.Handle(method, "networking", "config/"+path, "networking.v4.config."+responseType, e)
	}
	const taskReference = "TaskReferenceApiResponse"
	handle("GET", "subnets", "ListSubnetsApiResponse", api.listSubnets)
	handle("GET", "subnets/{extId}", "GetSubnetApiResponse", api.getSubnet)
	handle("GET", "subnets/{extId}/reserved-ips", "ListSubnetReservedIpsApiResponse", api.listReservedIPs)
	handle("POST", "subnets/{extId}/addresses/$actions/reserve", taskReference, api.reserve)
	handle("POST", "subnets/{extId}/addresses/$actions/unreserve", taskReference, api.unreserve)
	handle("GET", "vpcs", "ListVpcsApiResponse", api.listVPCs)
	handle("GET", "vpcs/{extId}", "GetVpcApiResponse", api.getVPC)

	handle("GET", "load-balancer-sessions", "ListLoadBalancerSessionsApiResponse", api.listSessions)
	handle("POST", "load-balancer-sessions", taskReference, api.handleCreateSession)
	handle("GET", "load-balancer-sessions/{extId}", "GetLoadBalancerSessionApiResponse", api.getSession)
	handle("PUT", "load-balancer-sessions/{extId}", taskReference, api.handleUpdateSession)
	handle("DELETE", "load-balancer-sessions/{extId}", taskReference, api.handleDeleteSession)

	handle("GET", "floating-ips", "ListFloatingIpsApiResponse", api.listFloatingIPs)
	handle("POST", "floating-ips", taskReference, api.handleCreateFloatingIP)
	handle("GET", "floating-ips/{extId}", "GetFloatingIpApiResponse", api.getFloatingIP)
	handle("PUT", "floating-ips/{extId}", taskReference, api.handleUpdateFloatingIP)
	handle("DELETE", "floating-ips/{extId}", taskReference, api.handleDeleteFloatingIP)

	handle("GET", "route-tables", "ListRouteTablesApiResponse", api.listRouteTables)
	handle("GET", "route-tables/{extId}", "GetRouteTableApiResponse", api.getRouteTable)
	const routes = "route-tables/{routeTableExtId}/routes"
	handle("GET", routes, "ListRoutesApiResponse", api.listRoutes)
	handle("POST", routes, taskReference, api.createRoute)
	handle("GET", routes+"/{extId}", "GetRouteApiResponse", api.getRoute)
	handle("PUT", routes+"/{extId}", taskReference, api.updateRoute)
	handle("DELETE", routes+"/{extId}", taskReference, api.deleteRoute)
}

// entityKind names what a task is about. Those of subnets, floating IPs and routes are on record; that of sessions follows them.
type entityKind struct{ rel, word string }

var (
	kindSubnet     = entityKind{"networking:config:subnet", "Subnet"}
	kindSession    = entityKind{"networking:config:load-balancer-session", "Load Balancer Session"}
	kindFloatingIP = entityKind{"networking:config:floating-ip", "Floating IP"}
	kindRoute      = entityKind{"networking:config:route", "Route"}
)

// change is a change of the networking API, done by a task.
type change struct {
	operation   string // of the task, for example "kSubnetReserveIp"
	description string // likewise
	failing     string // how a failure names it, for example "Delete Subnet"
	kind        entityKind
	uuid, name  string
	created     bool // the entity exists only when the work is done
	queue       *model.TaskQueue
	work        func(t *model.Task) *failure
}

// order starts the task of a change and answers with it; the caller holds the mutex.
func (api *API) order(r *v4.Request, c change) (*v4.Response, error) {
	entity := model.TaskEntity{UUID: c.uuid, Rel: c.kind.rel, Name: c.name}
	order := model.Order{
		Operation: c.operation, Description: c.description, Duration: api.Latency.Network, Queue: c.queue,
		Work: func(t *model.Task) *model.TaskError {
			if failed := c.work(t); failed != nil {
				return failed.inTask(c.failing).Fails()
			}
			if c.created {
				t.Affect(entity)
			}
			return nil
		},
	}
	if !c.created {
		order.Entities = []model.TaskEntity{entity}
	}
	return v4.Accepted(api.Order(r.Context(), r.Namespace, order)), nil
}

// creating, updating and deleting describe the three usual changes. Only the names of "Subnet Delete" are on record.
func creating(kind entityKind, name string, work func(id string) *failure) change {
	id := uuid.NewString()
	return change{
		operation: "k" + kind.compact() + "Create", description: kind.word + " Create", failing: "Create " + kind.word,
		kind: kind, uuid: id, name: name, created: true, work: func(*model.Task) *failure { return work(id) },
	}
}

// changeMaker is updating or deleting.
type changeMaker func(kind entityKind, id string, queue *model.TaskQueue, work func() *failure) change

func updating(kind entityKind, id string, queue *model.TaskQueue, work func() *failure) change {
	return change{
		operation: "k" + kind.compact() + "Update", description: kind.word + " Update", failing: "Update " + kind.word,
		kind: kind, uuid: id, queue: queue, work: func(*model.Task) *failure { return work() },
	}
}

func deleting(kind entityKind, id string, queue *model.TaskQueue, work func() *failure) change {
	return change{
		operation: "k" + kind.compact() + "Delete", description: kind.word + " Delete", failing: "Delete " + kind.word,
		kind: kind, uuid: id, queue: queue, work: func(*model.Task) *failure { return work() },
	}
}

// notThere refuses a request about one entity that does not exist. An answer of this kind on record has no error group.
func notThere(verb string, kind entityKind, id string) *v4.Error {
	failed := notFound("%s %s not found", kind.word, id)
	return &v4.Error{Status: http.StatusNotFound, Code: failed.code, Message: failed.message(verb + " " + kind.word)}
}

// checkIfMatch checks the ETag of a PUT, which has to have one unless the rules say otherwise, or of a DELETE.
func (api *API) checkIfMatch(r *v4.Request, current model.Revision) error {
	required := r.Method == http.MethodPut && !api.rules.OptionalIfMatch
	return r.IfMatch(current, required, func(sent, current string) *v4.Error {
		return &v4.Error{Status: http.StatusPreconditionFailed, Code: codeStale, Message: v4.MismatchText(sent, current)}
	})
}

// Rules are the limits of the networking API, and choices where no public record says what a real Prism Central
// does. The zero value is the default; Server.SetNetworkRules and PUT /sim/network-rules change them at run time.
type Rules struct {
	// ExclusiveVIP lets one load balancer session only have a virtual IP. By default several sessions may share one, with
	// different protocols or ports.
	ExclusiveVIP bool `json:"exclusiveVIP,omitempty"`
	// HiddenVIP leaves an address that was chosen by the system out of answers, as the one recorded answer to a create does.
	HiddenVIP bool `json:"hiddenVIP,omitempty"`
	// UniqueNames refuses a second load balancer session with the same name in a VPC.
	UniqueNames bool `json:"uniqueNames,omitempty"`
	// AnyTarget accepts NIC targets that are no NIC of a VM in the VPC; they are UNHEALTHY.
	AnyTarget bool `json:"anyTarget,omitempty"`
	// ReleaseFloatingIP lets a load balancer session go while a floating IP is associated with it, and ends the association.
	// By default the session is in use and cannot be deleted.
	ReleaseFloatingIP bool `json:"releaseFloatingIP,omitempty"`
	// NoAddressNextHop refuses routes whose next hop is an IP address.
	NoAddressNextHop bool `json:"noAddressNextHop,omitempty"`
	// OptionalIfMatch lets a PUT go without If-Match; then the last one wins.
	OptionalIfMatch bool `json:"optionalIfMatch,omitempty"`

	// Limits of all sessions, floating IPs and static routes, and of the reservations of each subnet; 0: none.
	MaxLoadBalancerSessions int `json:"maxLoadBalancerSessions,omitempty"`
	MaxFloatingIPs          int `json:"maxFloatingIPs,omitempty"`
	MaxRoutes               int `json:"maxRoutes,omitempty"`
	MaxReservedIPs          int `json:"maxReservedIPs,omitempty"`
}

// SetNetworkRules replaces the rules; what exists stays as it is.
func (c *Control) SetNetworkRules(rules Rules) {
	c.api.Mu.Lock()
	defer c.api.Mu.Unlock()
	c.api.rules = rules
}

// NetworkRules gives the rules in force.
func (c *Control) NetworkRules() Rules {
	c.api.Mu.Lock()
	defer c.api.Mu.Unlock()
	return c.api.rules
}
