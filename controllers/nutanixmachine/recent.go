package nutanixmachine

import (
	"sync"
	"time"

	"github.com/capnt/capnt/internal/prism"
)

// recentVMs contains the VM that the last reconcile of each machine read from Prism Central. One change often triggers several reconciles
// within a second, and only the first one has to read the VM.
type recentVMs struct {
	mu       sync.Mutex
	machines map[string]recentVM
}

type recentVM struct {
	vm *prism.VM
	at time.Time
}

func (r *recentVMs) put(key string, vm *prism.VM, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.machines == nil {
		r.machines = map[string]recentVM{}
	}
	r.machines[key] = recentVM{vm, now}
}

// get returns the VM with the UUID uuid if it was read less than age ago, and nil otherwise.
func (r *recentVMs) get(key, uuid string, now time.Time, age time.Duration) *prism.VM {
	r.mu.Lock()
	defer r.mu.Unlock()
	recent, found := r.machines[key]
	if !found || recent.vm.UUID != uuid || now.Sub(recent.at) >= age {
		return nil
	}
	return recent.vm
}

func (r *recentVMs) forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.machines, key)
}
