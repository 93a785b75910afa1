package model

import "sync"

// Hypervisor runs the guests of VMs. The server calls it asynchronously after a power state has changed. The calls for
// one VM follow the order of the changes, and calls for different VMs are concurrent. If a VM that is on is deleted,
// PowerOff is called before the deletion.
type Hypervisor interface {
	PowerOn(vm VMView)
	PowerOff(vmUUID string)
}

// callQueue runs the calls for one VM in order. It uses a goroutine that ends when the queue is empty.
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

// notifyOn calls the hypervisor for a VM that was switched on, unless the server is closed. The caller must hold the mutex.
func (pc *Central) notifyOn(m *VM) {
	if pc.hypervisor == nil || pc.closed {
		return
	}
	vm := m.View(pc)
	m.guest = vm.UUID
	m.calls.add(&pc.running, func() { pc.hypervisor.PowerOn(vm) })
}

// notifyOff calls the hypervisor for a VM that was switched off, unless the server is closed. The caller holds the
// mutex.
func (pc *Central) notifyOff(m *VM) {
	if pc.hypervisor == nil || pc.closed {
		return
	}
	id := m.guest // the UUID of the VM may have changed since power-on
	m.calls.add(&pc.running, func() { pc.hypervisor.PowerOff(id) })
}
