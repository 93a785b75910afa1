package prismsim

import (
	"net/http"

	"github.com/google/uuid"
)

// networkAPI serves the networking namespace of the v4 API. It owns what that API alone has: load balancer sessions, floating
// IPs and static routes.
type networkAPI struct {
	*estate
	networkRules NetworkRules
	sessions     collection[session]
	floatingIPs  collection[floatingIP]
	tables       []*routeTable
}

func newNetworkAPI(e *estate, rules NetworkRules) *networkAPI {
	api := &networkAPI{estate: e, networkRules: rules}
	for _, v := range e.vpcs {
		api.tables = append(api.tables, &routeTable{privateCloud: v, uuid: deriveUUID("route_table", v.UUID)})
	}
	return api
}

// routes adds the operations of the networking namespace.
func (api *networkAPI) routes(r *v4Router) {
	handle := func(method, path, responseType string, e v4Endpoint) {
		r.handle(method, "networking", "config/"+path, "networking.v4.config."+responseType, e)
	}
	const taskReference = "TaskReferenceApiResponse"
	handle("GET", "subnets", "ListSubnetsApiResponse", api.v4ListSubnets)
	handle("GET", "subnets/{extId}", "GetSubnetApiResponse", api.v4GetSubnet)
	handle("GET", "subnets/{extId}/reserved-ips", "ListSubnetReservedIpsApiResponse", api.v4ListReservedIPs)
	handle("POST", "subnets/{extId}/addresses/$actions/reserve", taskReference, api.v4Reserve)
	handle("POST", "subnets/{extId}/addresses/$actions/unreserve", taskReference, api.v4Unreserve)
	handle("GET", "vpcs", "ListVpcsApiResponse", api.v4ListVPCs)
	handle("GET", "vpcs/{extId}", "GetVpcApiResponse", api.v4GetVPC)

	handle("GET", "load-balancer-sessions", "ListLoadBalancerSessionsApiResponse", api.v4ListSessions)
	handle("POST", "load-balancer-sessions", taskReference, api.v4CreateSession)
	handle("GET", "load-balancer-sessions/{extId}", "GetLoadBalancerSessionApiResponse", api.v4GetSession)
	handle("PUT", "load-balancer-sessions/{extId}", taskReference, api.v4UpdateSession)
	handle("DELETE", "load-balancer-sessions/{extId}", taskReference, api.v4DeleteSession)

	handle("GET", "floating-ips", "ListFloatingIpsApiResponse", api.v4ListFloatingIPs)
	handle("POST", "floating-ips", taskReference, api.v4CreateFloatingIP)
	handle("GET", "floating-ips/{extId}", "GetFloatingIpApiResponse", api.v4GetFloatingIP)
	handle("PUT", "floating-ips/{extId}", taskReference, api.v4UpdateFloatingIP)
	handle("DELETE", "floating-ips/{extId}", taskReference, api.v4DeleteFloatingIP)

	handle("GET", "route-tables", "ListRouteTablesApiResponse", api.v4ListRouteTables)
	handle("GET", "route-tables/{extId}", "GetRouteTableApiResponse", api.v4GetRouteTable)
	const routes = "route-tables/{routeTableExtId}/routes"
	handle("GET", routes, "ListRoutesApiResponse", api.v4ListRoutes)
	handle("POST", routes, taskReference, api.v4CreateRoute)
	handle("GET", routes+"/{extId}", "GetRouteApiResponse", api.v4GetRoute)
	handle("PUT", routes+"/{extId}", taskReference, api.v4UpdateRoute)
	handle("DELETE", routes+"/{extId}", taskReference, api.v4DeleteRoute)
}

// netKind names what a task is about. Those of subnets, floating IPs and routes are on record; that of sessions follows them.
type netKind struct{ rel, word string }

var (
	kindSubnet     = netKind{"networking:config:subnet", "Subnet"}
	kindSession    = netKind{"networking:config:load-balancer-session", "Load Balancer Session"}
	kindFloatingIP = netKind{"networking:config:floating-ip", "Floating IP"}
	kindRoute      = netKind{"networking:config:route", "Route"}
)

// netChange is a change of the networking API, done by a task.
type netChange struct {
	operation   string // of the task, for example "kSubnetReserveIp"
	description string // likewise
	failing     string // how a failure names it, for example "Delete Subnet"
	kind        netKind
	uuid, name  string
	created     bool // the entity exists only when the work is done
	queue       *taskQueue
	work        func(t *task) *netFailure
}

// orderNet starts the task of a change and answers with it; the caller holds the mutex.
func (api *networkAPI) orderNet(r *v4Request, c netChange) (*v4Answer, error) {
	entity := TaskEntity{UUID: c.uuid, Rel: c.kind.rel, Name: c.name}
	order := taskOrder{
		operation: c.operation, description: c.description, duration: api.latency.Network, queue: c.queue,
		work: func(t *task) *taskError {
			if failed := c.work(t); failed != nil {
				return failed.inTask(c.failing).fails()
			}
			if c.created {
				t.affect(entity)
			}
			return nil
		},
	}
	if !c.created {
		order.entities = []TaskEntity{entity}
	}
	return taskAnswer(api.order(r.Context(), r.namespace, order)), nil
}

// creating, updating and deleting describe the three usual changes. Only the names of "Subnet Delete" are on record.
func creating(kind netKind, name string, work func(id string) *netFailure) netChange {
	id := uuid.NewString()
	return netChange{
		operation: "k" + kind.compact() + "Create", description: kind.word + " Create", failing: "Create " + kind.word,
		kind: kind, uuid: id, name: name, created: true, work: func(*task) *netFailure { return work(id) },
	}
}

// changeMaker is updating or deleting.
type changeMaker func(kind netKind, id string, queue *taskQueue, work func() *netFailure) netChange

func updating(kind netKind, id string, queue *taskQueue, work func() *netFailure) netChange {
	return netChange{
		operation: "k" + kind.compact() + "Update", description: kind.word + " Update", failing: "Update " + kind.word,
		kind: kind, uuid: id, queue: queue, work: func(*task) *netFailure { return work() },
	}
}

func deleting(kind netKind, id string, queue *taskQueue, work func() *netFailure) netChange {
	return netChange{
		operation: "k" + kind.compact() + "Delete", description: kind.word + " Delete", failing: "Delete " + kind.word,
		kind: kind, uuid: id, queue: queue, work: func(*task) *netFailure { return work() },
	}
}

// notThere refuses a request about one entity that does not exist. An answer of this kind on record has no error group.
func notThere(verb string, kind netKind, id string) *v4Error {
	failed := netNotFound("%s %s not found", kind.word, id)
	return &v4Error{status: http.StatusNotFound, code: failed.code, message: failed.message(verb + " " + kind.word)}
}

// netIfMatch checks the ETag of a PUT, which has to have one unless the rules say otherwise, or of a DELETE.
func (api *networkAPI) netIfMatch(r *v4Request, current revision) error {
	required := r.Method == http.MethodPut && !api.networkRules.OptionalIfMatch
	return r.ifMatch(current, required, func(sent, current string) *v4Error {
		return &v4Error{status: http.StatusPreconditionFailed, code: codeNetStale, message: mismatchText(sent, current)}
	})
}
