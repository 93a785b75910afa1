// Package guest simulates what runs inside virtual machines. A VM that is powered on reads its cloud-init data and does
// what kubeadm would: a control plane starts a real etcd member and a real kube-apiserver on the loopback address of the
// VM, and every VM registers its Node and serves the kubelet's API. No container runtime is needed.
package guest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/capnt/capnt/e2e/prismsim"
)

const (
	// defaultMonitorGrace is shorter than kube-controller-manager's grace period (50 s), because tests wait for it.
	defaultMonitorGrace = 20 * time.Second
	// defaultBootTimeout is longer than kubeadm's timeout (5 min to discover a control plane), because slow machines boot
	// many guests at once and a guest that gives up is not restarted.
	defaultBootTimeout = 20 * time.Minute
)

// Options configure a Hypervisor.
type Options struct {
	// Tools is the directory that holds bin/etcd and bin/kube-apiserver.
	Tools string
	// Dir receives one directory per VM with its data and logs.
	Dir string
	// Log receives one line per event. The guest.log of each guest has the details.
	Log logr.Logger
	// ProviderID makes a guest set its Node's spec.providerID (nutanix://<VM UUID>) itself and leave out the taint
	// node.cloudprovider.kubernetes.io/uninitialized, for use without a cloud-controller-manager.
	ProviderID bool
	// Programs maps image names to binaries: a Deployment in a simulated cluster whose only container has the image
	// ".../<name>:<tag>" runs as one process of that binary on a control plane, with the container's arguments, mounted
	// files and ServiceAccount.
	Programs map[string]string
	// VersionFor returns the version of the VM's kubelet ("v1.36.3"), which a real VM gets from its image. If it is nil
	// or returns an empty string, guests use the cluster's version: the first machine reads it from its user-data, the
	// others from the ConfigMap kubeadm-config.
	VersionFor func(ctx context.Context, vm prismsim.VM) string
	// MonitorGrace is the time from a power-off until the guest's Node becomes Ready=Unknown, as the node lifecycle
	// controller would set it. Default 20 s.
	MonitorGrace time.Duration
	// BootTimeout limits how long a guest tries to become a Node; default 20 min.
	BootTimeout time.Duration
}

// Hypervisor runs guests. It implements prismsim.Hypervisor.
type Hypervisor struct {
	options Options
	ctx     context.Context //nolint:containedctx // The life of the hypervisor, which outlives every call.
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	guests   map[string]*guest   // by VM UUID
	clusters map[string]*cluster // by control-plane endpoint
}

var _ prismsim.Hypervisor = (*Hypervisor)(nil)

// New returns a Hypervisor. The caller ends it with Close.
func New(options Options) *Hypervisor {
	if options.MonitorGrace == 0 {
		options.MonitorGrace = defaultMonitorGrace
	}
	if options.BootTimeout == 0 {
		options.BootTimeout = defaultBootTimeout
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Hypervisor{
		options: options, ctx: ctx, cancel: cancel,
		guests: map[string]*guest{}, clusters: map[string]*cluster{},
	}
}

// PowerOn boots a VM and returns at once. A VM that was on before continues with its disk.
func (h *Hypervisor) PowerOn(vm prismsim.VM) {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return
	}
	g, known := h.guests[vm.UUID]
	if !known {
		g = &guest{hypervisor: h, dir: filepath.Join(h.options.Dir, directory(vm))}
		h.guests[vm.UUID] = g
	}
	// Add is called while the mutex is held, so that Close waits for the guest.
	h.wg.Add(1)
	h.mu.Unlock()
	g.powerOn(vm, h.wg.Done)
}

// PowerOff kills all processes of a VM at once. Its disk remains.
func (h *Hypervisor) PowerOff(vmUUID string) {
	h.mu.Lock()
	g, known := h.guests[vmUUID]
	h.mu.Unlock()
	if known {
		g.powerOff()
	}
}

// Close powers off every VM, kills every process and removes the VMs' directories.
func (h *Hypervisor) Close() error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	guests := h.list()
	h.cancel()
	for _, g := range guests {
		g.powerOff()
	}
	h.wg.Wait()
	for _, g := range guests {
		if err := os.RemoveAll(g.dir); err != nil {
			return fmt.Errorf("removing the directory of VM %s: %w", g.name(), err)
		}
	}
	if err := os.RemoveAll(h.programsDir()); err != nil {
		return fmt.Errorf("removing the directory of programs: %w", err)
	}
	return nil
}

// Processes returns the names of the processes that run in guests, sorted, so that tests can assert that none is left.
func (h *Hypervisor) Processes() []string {
	names := h.programNames()
	for _, g := range h.list() {
		names = append(names, g.processNames()...)
	}
	slices.Sort(names)
	return names
}

func (h *Hypervisor) programNames() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var names []string
	for _, c := range h.clusters {
		names = append(names, c.processNames()...)
	}
	return names
}

func (h *Hypervisor) list() []*guest {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Values(h.guests))
}

// State describes the guest of one VM.
type State struct {
	VM   string
	UUID string
	// Node is the name of its Node; empty before it is known.
	Node         string
	ControlPlane bool
	On           bool
	// Joined is true once the Node is registered.
	Joined bool
	// Failure is the reason why the guest never became a Node.
	Failure string
	// Log is the path of guest.log.
	Log string
}

// States returns the state of every VM that was ever powered on, sorted by name.
func (h *Hypervisor) States() []State {
	var states []State
	for _, g := range h.list() {
		states = append(states, g.state())
	}
	slices.SortFunc(states, func(a, b State) int { return strings.Compare(a.VM, b.VM) })
	return states
}

// directory returns the name of a VM's directory: readable, unique, and within the length limit of a path element.
func directory(vm prismsim.VM) string {
	const maxName = 80
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == 0 {
			return '-'
		}
		return r
	}, vm.Name)
	return fmt.Sprintf("%.*s-%.8s", maxName, name, vm.UUID)
}
