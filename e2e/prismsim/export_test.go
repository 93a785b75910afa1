package prismsim

// HoldLoadBalancerSession lets the changes of a session that are accepted from now on wait until goOn is called.
func (s *Server) HoldLoadBalancerSession(uuid string) (goOn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := make(chan struct{})
	s.estate.sessionByUUID(uuid).queue.tail = held
	return func() { close(held) }
}

// AgeVMs makes the VMs count as older than any lag of lists.
func (s *Server) AgeVMs() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.estate.vms.predate()
}
