package instance

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/capnt/capnt/ccm/nutanix"
)

// singles are virtual machines that were asked for one by one, kept as long as lists are. Only what was found is kept: that
// there is none is never remembered.
type singles struct {
	clock    clock.PassiveClock
	lifetime func() time.Duration
	fetch    func(ctx context.Context, uuid string) (nutanix.VM, error)

	mutex sync.Mutex
	of    map[string]single
}

type single struct {
	vm nutanix.VM
	at time.Time
}

func (s *singles) get(ctx context.Context, uuid string) (nutanix.VM, error) {
	if vm, ok := s.known(uuid); ok {
		return vm, nil
	}
	asked := s.clock.Now()
	vm, err := s.fetch(ctx, uuid)
	if err != nil {
		return nutanix.VM{}, err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.of[uuid] = single{vm, asked}
	return vm, nil
}

// known also forgets what is too old.
func (s *singles) known(uuid string) (nutanix.VM, bool) {
	lifetime := s.lifetime()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for key, one := range s.of {
		if s.clock.Since(one.at) >= lifetime {
			delete(s.of, key)
		}
	}
	one, ok := s.of[uuid]
	return one.vm, ok
}
