package networking

import (
	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
)

var sessionListing = v4.Listing{
	Filters: []string{"extId", "name", "description", "vpcReference", "listener/protocol", "listener/virtualIP/subnetReference"},
	Orders:  []string{"extId", "name", "vpcReference"},
}

func (api *API) listSessions(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	items, nics := []v4.Object{}, api.Attachments()
	for _, session := range api.sessions.Listed(api.Rules.Lag("load_balancer_session")) {
		items = append(items, api.sessionObject(r, session, nics))
	}
	api.Mu.Unlock()
	return sessionListing.Respond(r, items)
}

// session returns the session with the ID in the path of a request. The caller must hold the mutex.
func (api *API) session(r *v4.Request, verb string) (*session, error) {
	id := r.PathValue("extId")
	if found := api.sessionByUUID(id); found != nil {
		return found, nil
	}
	return nil, notThere(verb, kindSession, id)
}

func (api *API) getSession(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	found, err := api.session(r, "Get")
	if err != nil {
		return nil, err
	}
	return &v4.Response{Data: api.sessionObject(r, found, api.Attachments()), ETag: found.version.ETag()}, nil
}

func (api *API) handleCreateSession(r *v4.Request) (*v4.Response, error) {
	spec, err := readSession(r)
	if err != nil {
		return nil, err
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	return api.order(r, creating(kindSession, spec.name, func(id string) *failure { return api.createSession(id, spec) }))
}

func (api *API) handleUpdateSession(r *v4.Request) (*v4.Response, error) {
	spec, err := readSession(r)
	if err != nil {
		return nil, err
	}
	return api.changeSession(r, updating, "Update", func(found *session) *failure { return api.updateSession(found, spec) })
}

func (api *API) handleDeleteSession(r *v4.Request) (*v4.Response, error) {
	return api.changeSession(r, deleting, "Delete", api.deleteSession)
}

// changeSession checks the ETag and starts the task that updates or deletes a session.
func (api *API) changeSession(r *v4.Request, kind changeMaker, verb string, work func(*session) *failure) (*v4.Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	found, err := api.session(r, verb)
	if err != nil {
		return nil, err
	}
	if err := api.checkIfMatch(r, found.version); err != nil {
		return nil, err
	}
	return api.order(r, kind(kindSession, found.uuid, &found.queue, func() *failure {
		if api.sessionByUUID(found.uuid) == nil {
			return notFound("Load balancer session %s not found", found.uuid)
		}
		return work(found)
	}))
}

func (api *API) sessionObject(r *v4.Request, of *session, nics map[string]model.Attachment) v4.Object {
	ports := []v4.Object{}
	for _, p := range of.ports {
		ports = append(ports, v4.Typed(typeName("PortRange"), v4.Object{"startPort": p.first, "endPort": p.last}))
	}
	virtualIP := v4.Object{"assignmentType": "DYNAMIC", "subnetReference": of.subnet.UUID, "ipAddress": addressObject(of.vip)}
	switch {
	case of.wantVIP.static:
		virtualIP["assignmentType"] = "STATIC"
	case api.rules.HiddenVIP:
		delete(virtualIP, "ipAddress")
	}
	return v4.Typed(typeName("LoadBalancerSession"), v4.Object{
		"extId": of.uuid, "name": of.name, "description": of.description, "vpcReference": of.vpc.UUID,
		"type": sessionType, "algorithm": sessionAlgorithm,
		"listener": v4.Typed(typeName("Listener"), v4.Object{
			"protocol": of.protocol, "portRanges": ports, "virtualIP": v4.Typed(typeName("VirtualIP"), virtualIP),
		}),
		"healthCheckConfig": v4.Typed(typeName("HealthCheck"), v4.Object{
			"intervalSecs": of.health.interval, "timeoutSecs": of.health.timeout,
			"successThreshold": of.health.success, "failureThreshold": of.health.failure,
		}),
		"targetsConfig": v4.Typed(typeName("Target"), v4.Object{"nicTargets": targetObjects(of, nics)}),
		"metadata":      api.metadataObject(of.metadata), "links": v4.SelfLinks(r, "config/load-balancer-sessions/"+of.uuid),
	})
}

func targetObjects(of *session, nics map[string]model.Attachment) []v4.Object {
	out := []v4.Object{}
	for _, t := range of.targets {
		vmUUID, healthy := healthOf(t, nics)
		target := v4.Typed(typeName("NicTarget"), v4.Object{"virtualNicReference": t.nicUUID, "port": t.port, "health": "UNHEALTHY"})
		if healthy {
			target["health"] = "HEALTHY"
		}
		if vmUUID != "" {
			target["vmReference"] = vmUUID
		}
		out = append(out, target)
	}
	return out
}
