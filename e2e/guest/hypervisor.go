// Package guest simulates what runs inside virtual machines. A VM that is powered on reads its cloud-init data and does
// what kubeadm would: a control plane starts a real etcd member and a real kube-apiserver on the loopback address of the
// VM, and every VM registers its Node and answers like a kubelet. Nothing of it needs a container runtime.
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
	// defaultMonitorGrace is shorter than that of kube-controller-manager (50 s), for tests that wait for it.
	defaultMonitorGrace = 20 * time.Second
	// defaultBootTimeout is longer than that of kubeadm (5 min for the discovery of a control plane), for machines that are slow and
	// boot many guests at once: nobody starts again a guest that has given up.
	defaultBootTimeout = 20 * time.Minute
)

// Options configure a Hypervisor.
type Options struct {
	// Tools is the directory that holds bin/etcd and bin/kube-apiserver.
	Tools string
	// Dir receives one directory per VM with its data and logs.
	Dir string
	// Log receives one line per event; details of a guest are in its own guest.log.
	Log logr.Logger
	// ProviderID makes a guest set its Node's spec.providerID (nutanix://<VM UUID>) itself and leave out the taint
	// node.cloudprovider.kubernetes.io/uninitialized, for use without a cloud-controller-manager.
	ProviderID bool
	// Programs are binaries that stand for images: a Deployment in a simulated cluster whose one container has the image
	// ".../<name>:<tag>" runs as one process of that binary, on a control plane, with its arguments, mounted files and
	// ServiceAccount.
	Programs map[string]string
	// VersionFor tells the Kubernetes version of the VM's kubelet, which in reality its image decides ("v1.36.3").
	// Without it, or when it returns an empty string, the version of the cluster is used: the one in the user-data of
	// the first machine, and in the ConfigMap kubeadm-config for all others.
	VersionFor func(ctx context.Context, vm prismsim.VM) string
	// MonitorGrace is how long after a power-off the Node of a guest turns Ready=Unknown, as the node lifecycle
	// controller would do it; default 20 s.
	MonitorGrace time.Duration
	// BootTimeout bounds how long a guest tries to become a Node; default 20 min.
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

// New makes a hypervisor; Close ends it.
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
	// Counted before the mutex is free, so that Close waits for it.
	h.wg.Add(1)
	h.mu.Unlock()
	g.powerOn(vm, h.wg.Done)
}

// PowerOff ends everything that runs in a VM, at once. Its disk remains.
func (h *Hypervisor) PowerOff(vmUUID string) {
	h.mu.Lock()
	g, known := h.guests[vmUUID]
	h.mu.Unlock()
	if known {
		g.powerOff()
	}
}

// Close powers off every VM, ends every process and removes the directories of the VMs.
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

// Processes names the processes that run in guests, sorted; for assertions that nothing is left.
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

// State is what a VM has become.
type State struct {
	VM   string
	UUID string
	// Node is the name of its Node; empty before it is known.
	Node         string
	ControlPlane bool
	On           bool
	// Joined is true once the Node is registered.
	Joined bool
	// Failure says why the guest never became a Node.
	Failure string
	// Log is the path of guest.log.
	Log string
}

// States lists what became of every VM that was ever on, sorted by name.
func (h *Hypervisor) States() []State {
	var states []State
	for _, g := range h.list() {
		states = append(states, g.state())
	}
	slices.SortFunc(states, func(a, b State) int { return strings.Compare(a.VM, b.VM) })
	return states
}

// directory is the name of a VM's directory: readable, unique, and no longer than a path element may be.
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
