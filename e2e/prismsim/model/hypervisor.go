package model

import "sync"

// Hypervisor runs the guests of VMs. It is called asynchronously after a power state has changed: for one VM in the order of the
// changes, for different VMs concurrently. PowerOff is called before a VM that is on is deleted.
type Hypervisor interface {
	PowerOn(vm VMView)
	PowerOff(vmUUID string)
}

// callQueue runs the calls for one VM in order, on a goroutine that ends when the queue is empty.
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

// notifyOn tells the hypervisor that a VM is on, unless the server is closed. The caller holds the mutex.
func (pc *Central) notifyOn(m *VM) {
	if pc.hypervisor == nil || pc.closed {
		return
	}
	vm := m.View(pc)
	m.guest = vm.UUID
	m.calls.add(&pc.running, func() { pc.hypervisor.PowerOn(vm) })
}

// notifyOff tells the hypervisor that a VM is off, unless the server is closed. The caller holds the mutex.
func (pc *Central) notifyOff(m *VM) {
	if pc.hypervisor == nil || pc.closed {
		return
	}
	id := m.guest // the UUID of the VM may have changed since
	m.calls.add(&pc.running, func() { pc.hypervisor.PowerOff(id) })
}
