// Package networking implements the networking namespace of the v4 API: subnets, VPCs, address reservations, load
// balancer sessions, floating IPs, route tables and routes.
package networking

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
)

// API serves the networking namespace. It stores the entities that exist only in this namespace: load balancer
// sessions, floating IPs and static routes.
type API struct {
	*model.Central
	rules       Rules
	sessions    model.Collection[session]
	floatingIPs model.Collection[floatingIP]
	tables      []*routeTable
}

// New returns the networking API of the Prism Central e.
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

// entityKind is a kind of entity. rel is the type of the entity in tasks, and word is the name of the kind in messages.
// The types of subnets, floating IPs and routes are on public record. The type of load balancer sessions follows the
// same pattern.
type entityKind struct{ rel, word string }

var (
	kindSubnet     = entityKind{"networking:config:subnet", "Subnet"}
	kindSession    = entityKind{"networking:config:load-balancer-session", "Load Balancer Session"}
	kindFloatingIP = entityKind{"networking:config:floating-ip", "Floating IP"}
	kindRoute      = entityKind{"networking:config:route", "Route"}
)

// change describes a change that a task makes.
type change struct {
	operation   string // operation of the task, for example "kSubnetReserveIp"
	description string // description of the task, for example "Subnet Delete"
	failing     string // name of the operation in error messages, for example "Delete Subnet"
	kind        entityKind
	uuid, name  string
	created     bool // true if the task creates the entity
	queue       *model.TaskQueue
	work        func(t *model.Task) *failure
}

// order starts the task of a change and returns the response. The caller must hold the mutex.
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

// creating returns the change that creates an entity. Of all operation and description names of networking tasks, only
// "Subnet Delete" is on public record.
func creating(kind entityKind, name string, work func(id string) *failure) change {
	id := uuid.NewString()
	return change{
		operation: "k" + kind.compact() + "Create", description: kind.word + " Create", failing: "Create " + kind.word,
		kind: kind, uuid: id, name: name, created: true, work: func(*model.Task) *failure { return work(id) },
	}
}

// changeMaker is the type of the functions updating and deleting.
type changeMaker func(kind entityKind, id string, queue *model.TaskQueue, work func() *failure) change

// updating returns the change that updates an entity.
func updating(kind entityKind, id string, queue *model.TaskQueue, work func() *failure) change {
	return change{
		operation: "k" + kind.compact() + "Update", description: kind.word + " Update", failing: "Update " + kind.word,
		kind: kind, uuid: id, queue: queue, work: func(*model.Task) *failure { return work() },
	}
}

// deleting returns the change that deletes an entity.
func deleting(kind entityKind, id string, queue *model.TaskQueue, work func() *failure) change {
	return change{
		operation: "k" + kind.compact() + "Delete", description: kind.word + " Delete", failing: "Delete " + kind.word,
		kind: kind, uuid: id, queue: queue, work: func(*model.Task) *failure { return work() },
	}
}

// notThere returns the error response to a request for an entity that does not exist. The response has no error group,
// like the only recorded response of a real Prism Central.
func notThere(verb string, kind entityKind, id string) *v4.Error {
	failed := notFound("%s %s not found", kind.word, id)
	return &v4.Error{Status: http.StatusNotFound, Code: failed.code, Message: failed.message(verb + " " + kind.word)}
}

// checkIfMatch compares the If-Match header with the revision of an entity. A PUT request must contain the header,
// unless the rule OptionalIfMatch is set.
func (api *API) checkIfMatch(r *v4.Request, current model.Revision) error {
	required := r.Method == http.MethodPut && !api.rules.OptionalIfMatch
	return r.IfMatch(current, required, func(sent, current string) *v4.Error {
		return &v4.Error{Status: http.StatusPreconditionFailed, Code: codeStale, Message: v4.MismatchText(sent, current)}
	})
}

// Rules contains limits of the networking API. It also selects between possible behaviours where no public record shows
// how a real Prism Central behaves. The zero value selects the defaults.
type Rules struct {
	// ExclusiveVIP rejects a virtual IP that another load balancer session uses. By default sessions may share a
	// virtual IP if their protocols or ports differ.
	ExclusiveVIP bool `json:"exclusiveVIP,omitempty"`
	// HiddenVIP omits dynamic virtual IPs from responses, as in the only recorded response to a create request.
	HiddenVIP bool `json:"hiddenVIP,omitempty"`
	// UniqueNames rejects a load balancer session if another session in the VPC has the same name.
	UniqueNames bool `json:"uniqueNames,omitempty"`
	// AnyTarget accepts targets that are not NICs of VMs in the VPC. The health of such targets is UNHEALTHY.
	AnyTarget bool `json:"anyTarget,omitempty"`
	// ReleaseFloatingIP allows the deletion of a load balancer session with a floating IP. The deletion ends the
	// association. By default the server rejects the deletion.
	ReleaseFloatingIP bool `json:"releaseFloatingIP,omitempty"`
	// NoAddressNextHop rejects routes whose next hop is an IP address.
	NoAddressNextHop bool `json:"noAddressNextHop,omitempty"`
	// OptionalIfMatch accepts PUT requests without the If-Match header.
	OptionalIfMatch bool `json:"optionalIfMatch,omitempty"`

	// Maximum numbers of load balancer sessions, floating IPs and static routes in total, and of reserved IPs in each
	// subnet. 0 means no limit.
	MaxLoadBalancerSessions int `json:"maxLoadBalancerSessions,omitempty"`
	MaxFloatingIPs          int `json:"maxFloatingIPs,omitempty"`
	MaxRoutes               int `json:"maxRoutes,omitempty"`
	MaxReservedIPs          int `json:"maxReservedIPs,omitempty"`
}

// SetNetworkRules replaces the rules. Existing entities do not change.
func (c *Control) SetNetworkRules(rules Rules) {
	c.api.Mu.Lock()
	defer c.api.Mu.Unlock()
	c.api.rules = rules
}

// NetworkRules returns the current rules.
func (c *Control) NetworkRules() Rules {
	c.api.Mu.Lock()
	defer c.api.Mu.Unlock()
	return c.api.rules
}
