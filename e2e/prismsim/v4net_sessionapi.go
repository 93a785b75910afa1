package prismsim

var sessionListing = v4Listing{
	filters: []string{"extId", "name", "description", "vpcReference", "listener/protocol", "listener/virtualIP/subnetReference"},
	orders:  []string{"extId", "name", "vpcReference"},
}

func (api *networkAPI) v4ListSessions(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	items, nics := []object{}, api.attachments()
	for _, session := range api.sessions.listed(api.rules.lag("load_balancer_session")) {
		items = append(items, api.sessionObject(r, session, nics))
	}
	api.mu.Unlock()
	return sessionListing.answer(r, items)
}

// session finds the session of a request; the caller holds the mutex.
func (api *networkAPI) session(r *v4Request, verb string) (*session, error) {
	id := r.PathValue("extId")
	if found := api.sessionByUUID(id); found != nil {
		return found, nil
	}
	return nil, notThere(verb, kindSession, id)
}

func (api *networkAPI) v4GetSession(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	found, err := api.session(r, "Get")
	if err != nil {
		return nil, err
	}
	return &v4Answer{data: api.sessionObject(r, found, api.attachments()), etag: found.version.etag()}, nil
}

func (api *networkAPI) v4CreateSession(r *v4Request) (*v4Answer, error) {
	spec, err := readSession(r)
	if err != nil {
		return nil, err
	}
	api.mu.Lock()
	defer api.mu.Unlock()
	return api.orderNet(r, creating(kindSession, spec.name, func(id string) *netFailure { return api.createSession(id, spec) }))
}

func (api *networkAPI) v4UpdateSession(r *v4Request) (*v4Answer, error) {
	spec, err := readSession(r)
	if err != nil {
		return nil, err
	}
	return api.changeSession(r, updating, "Update", func(found *session) *netFailure { return api.updateSession(found, spec) })
}

func (api *networkAPI) v4DeleteSession(r *v4Request) (*v4Answer, error) {
	return api.changeSession(r, deleting, "Delete", api.deleteSession)
}

// changeSession starts an update or a deletion of a session that exists, with the ETag that it has now.
func (api *networkAPI) changeSession(r *v4Request, kind changeMaker, verb string, work func(*session) *netFailure) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	found, err := api.session(r, verb)
	if err != nil {
		return nil, err
	}
	if err := api.netIfMatch(r, found.version); err != nil {
		return nil, err
	}
	return api.orderNet(r, kind(kindSession, found.uuid, &found.queue, func() *netFailure {
		if api.sessionByUUID(found.uuid) == nil {
			return netNotFound("Load balancer session %s not found", found.uuid)
		}
		return work(found)
	}))
}

func (api *networkAPI) sessionObject(r *v4Request, of *session, nics map[string]attachment) object {
	ports := []object{}
	for _, p := range of.ports {
		ports = append(ports, typed(netType("PortRange"), object{"startPort": p.first, "endPort": p.last}))
	}
	virtualIP := object{"assignmentType": "DYNAMIC", "subnetReference": of.subnet.UUID, "ipAddress": addressObject(of.vip)}
	switch {
	case of.wantVIP.static:
		virtualIP["assignmentType"] = "STATIC"
	case api.networkRules.HiddenVIP:
		delete(virtualIP, "ipAddress")
	}
	return typed(netType("LoadBalancerSession"), object{
		"extId": of.uuid, "name": of.name, "description": of.description, "vpcReference": of.vpc.UUID,
		"type": sessionType, "algorithm": sessionAlgorithm,
		"listener": typed(netType("Listener"), object{
			"protocol": of.protocol, "portRanges": ports, "virtualIP": typed(netType("VirtualIP"), virtualIP),
		}),
		"healthCheckConfig": typed(netType("HealthCheck"), object{
			"intervalSecs": of.health.interval, "timeoutSecs": of.health.timeout,
			"successThreshold": of.health.success, "failureThreshold": of.health.failure,
		}),
		"targetsConfig": typed(netType("Target"), object{"nicTargets": targetObjects(of, nics)}),
		"metadata":      api.netMetadata(of.metadata), "links": selfLinks(r, "config/load-balancer-sessions/"+of.uuid),
	})
}

func targetObjects(of *session, nics map[string]attachment) []object {
	out := []object{}
	for _, t := range of.targets {
		vmUUID, healthy := healthOf(t, nics)
		target := typed(netType("NicTarget"), object{"virtualNicReference": t.nicUUID, "port": t.port, "health": "UNHEALTHY"})
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
