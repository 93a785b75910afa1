package prismsim

var sessionListing = v4Listing{
	filters: []string{"extId", "name", "description", "vpcReference", "listener/protocol", "listener/virtualIP/subnetReference"},
	orders:  []string{"extId", "name", "vpcReference"},
}

func (s *Server) v4ListSessions(r *v4Request) (*v4Answer, error) {
	s.mu.Lock()
	items, nics := []object{}, s.estate.attachments()
	for _, session := range s.estate.sessions.listed(s.estate.rules.lag("load_balancer_session")) {
		items = append(items, s.sessionObject(r, session, nics))
	}
	s.mu.Unlock()
	return sessionListing.answer(r, items)
}

// session finds the session of a request; the caller holds the mutex.
func (s *Server) session(r *v4Request, verb string) (*session, error) {
	id := r.PathValue("extId")
	if found := s.estate.sessionByUUID(id); found != nil {
		return found, nil
	}
	return nil, notThere(verb, kindSession, id)
}

func (s *Server) v4GetSession(r *v4Request) (*v4Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.session(r, "Get")
	if err != nil {
		return nil, err
	}
	return &v4Answer{data: s.sessionObject(r, found, s.estate.attachments()), etag: found.version.etag()}, nil
}

func (s *Server) v4CreateSession(r *v4Request) (*v4Answer, error) {
	spec, err := readSession(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.orderNet(r, creating(kindSession, spec.name, func(id string) *netFailure { return s.estate.createSession(id, spec) }))
}

func (s *Server) v4UpdateSession(r *v4Request) (*v4Answer, error) {
	spec, err := readSession(r)
	if err != nil {
		return nil, err
	}
	return s.changeSession(r, updating, "Update", func(found *session) *netFailure { return s.estate.updateSession(found, spec) })
}

func (s *Server) v4DeleteSession(r *v4Request) (*v4Answer, error) {
	return s.changeSession(r, deleting, "Delete", s.estate.deleteSession)
}

// changeSession starts an update or a deletion of a session that exists, with the ETag that it has now.
func (s *Server) changeSession(r *v4Request, kind changeMaker, verb string, work func(*session) *netFailure) (*v4Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.session(r, verb)
	if err != nil {
		return nil, err
	}
	if err := s.netIfMatch(r, found.version); err != nil {
		return nil, err
	}
	return s.orderNet(r, kind(kindSession, found.uuid, &found.queue, func() *netFailure {
		if s.estate.sessionByUUID(found.uuid) == nil {
			return netNotFound("Load balancer session %s not found", found.uuid)
		}
		return work(found)
	}))
}

func (s *Server) sessionObject(r *v4Request, of *session, nics map[string]attachment) object {
	ports := []object{}
	for _, p := range of.ports {
		ports = append(ports, typed(netType("PortRange"), object{"startPort": p.first, "endPort": p.last}))
	}
	virtualIP := object{"assignmentType": "DYNAMIC", "subnetReference": of.subnet.UUID, "ipAddress": addressObject(of.vip)}
	switch {
	case of.wantVIP.static:
		virtualIP["assignmentType"] = "STATIC"
	case s.estate.networkRules.HiddenVIP:
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
		"metadata":      s.netMetadata(of.metadata), "links": selfLinks(r, "config/load-balancer-sessions/"+of.uuid),
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
