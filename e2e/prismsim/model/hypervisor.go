package model

import "sync"

// Hypervisor runs the guests of VMs. Calls come asynchronously after the change of state, for one VM one after the
// other and in the order of the changes, for different VMs at the same time. PowerOff comes before a VM that is on is
// deleted.
type Hypervisor interface {
	PowerOn(vm VMView)
	PowerOff(vmUUID string)
}

// callQueue runs the calls for one VM in order, on a goroutine that lives while there is something to do.
type callQueue struct {
	mu      sync.Mutex
	pending []func()
	busy    bool
}

func (q *callQueue) add(running *sync.WaitGroup, call func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pending = append(q.pending, call)
	if q.busy {
		return
	}
	q.busy = true
	running.Add(1)
	go func() {
		defer running.Done()
		q.drain()
	}()
}

func (q *callQueue) drain() {
	for {
		q.mu.Lock()
		if len(q.pending) == 0 {
			q.busy = false
			q.mu.Unlock()
			return
		}
		call := q.pending[0]
		q.pending = q.pending[1:]
		q.mu.Unlock()
		call()
	}
}

// tellOn and tellOff report a switched VM to the hypervisor, until the server is closed, which waits for the calls; the caller holds the
// mutex.
func (e *Central) tellOn(m *VM) {
	if e.hypervisor == nil || e.closed {
		return
	}
	vm := m.View(e)
	m.guest = vm.UUID
	m.calls.add(&e.running, func() { e.hypervisor.PowerOn(vm) })
}

func (e *Central) tellOff(m *VM) {
	if e.hypervisor == nil || e.closed {
		return
	}
	id := m.guest // the VM may have got another ID meanwhile
	m.calls.add(&e.running, func() { e.hypervisor.PowerOff(id) })
}
