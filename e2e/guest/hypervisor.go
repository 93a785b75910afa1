// Package guest simulates the software inside virtual machines. When a VM is powered on, its guest reads the cloud-init
// data and performs the tasks of kubeadm: the guest of a control plane starts a real etcd member and a real
// kube-apiserver on the loopback address of the VM, and every guest registers its Node and serves the kubelet's API. No
// container runtime is needed.
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
	// defaultMonitorGrace is shorter than the grace period of kube-controller-manager (50 s), because tests wait until the
	// grace period has passed.
	defaultMonitorGrace = 20 * time.Second
	// defaultBootTimeout is longer than kubeadm's timeout (5 min to discover a control plane). Slow machines boot many
	// guests at the same time, and a guest that has timed out is not restarted.
	defaultBootTimeout = 20 * time.Minute
)

// Options configure a Hypervisor.
type Options struct {
	// Tools is the directory that contains bin/etcd and bin/kube-apiserver.
	Tools string
	// Dir is the directory in which the hypervisor creates one directory for each VM, for data and logs.
	Dir string
	// Log receives one line per event. Details are in the file guest.log of each guest.
	Log logr.Logger
	// ProviderID makes a guest register its Node with spec.providerID (nutanix://<VM UUID>) and without the taint
	// node.cloudprovider.kubernetes.io/uninitialized. It is for tests that run no cloud controller manager.
	ProviderID bool
	// Programs maps image names to binaries. If the only container of a Deployment in a simulated cluster has the image
	// ".../<name>:<tag>", the Deployment runs as one process of the binary for <name>. The process runs on a control
	// plane, with the arguments, mounted files and ServiceAccount of the container.
	Programs map[string]string
	// VersionFor returns the kubelet version of a VM ("v1.36.3"). A real VM has the kubelet of its image. If VersionFor is
	// nil or returns an empty string, guests use the version of the cluster: the first machine reads it from its
	// user-data, and the other machines read it from the ConfigMap kubeadm-config.
	VersionFor func(ctx context.Context, vm prismsim.VM) string
	// MonitorGrace is the time from a power-off until the Ready condition of the guest's Node becomes Unknown. In a real
	// cluster, the node lifecycle controller sets the condition. The default is 20 s.
	MonitorGrace time.Duration
	// BootTimeout limits how long a guest tries to become a Node. The default is 20 min.
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

// New returns a Hypervisor. The caller must call Close.
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

// PowerOn starts to boot a VM and returns immediately. A VM that was powered on before still has its disk.
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
	// Add is called while the mutex is locked, so that Close waits for the guest.
	h.wg.Add(1)
	h.mu.Unlock()
	g.powerOn(vm, h.wg.Done)
}

// PowerOff kills all processes of a VM immediately. The VM keeps its disk.
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

// Processes returns the sorted names of the processes that run in guests. Tests use it to assert that no process is
// left.
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

// State describes the state of a VM's guest.
type State struct {
	VM   string
	UUID string
	// Node is the name of the guest's Node. It is empty until the guest has determined the name.
	Node         string
	ControlPlane bool
	On           bool
	// Joined is true once the Node is registered.
	Joined bool
	// Failure is the reason why the guest will never become a Node. It is empty if the guest has not failed.
	Failure string
	// Log is the path of guest.log.
	Log string
}

// States returns the states of all VMs that have ever been powered on, sorted by name.
func (h *Hypervisor) States() []State {
	var states []State
	for _, g := range h.list() {
		states = append(states, g.state())
	}
	slices.SortFunc(states, func(a, b State) int { return strings.Compare(a.VM, b.VM) })
	return states
}

// directory returns the name of a VM's directory. The name is readable and unique, and is short enough for a path
// element.
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
