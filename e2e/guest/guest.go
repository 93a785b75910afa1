package guest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"

	"github.com/capnt/capnt/e2e/guest/process"
	"github.com/capnt/capnt/e2e/prismsim"
)

// guest is the simulation of one VM. It has a disk, and processes that run while the VM is on.
type guest struct {
	hypervisor *Hypervisor
	dir        string

	// power serializes powering the guest on and off.
	power  sync.Mutex
	cancel context.CancelFunc // nil when off
	done   chan struct{}

	mu        sync.Mutex
	on        bool
	vm        prismsim.VM
	config    *kubeadm
	cluster   *cluster
	processes []*process.Process
	kubelet   *http.Server
	etcd      bool   // the disk contains the data of an etcd member
	version   string // Kubernetes version
	services  string // ClusterIP range
	joined    bool
	failure   string
	log       logr.Logger
}

// powerOn boots the guest. It calls ended when the guest is powered off, or immediately if the guest was already on.
func (g *guest) powerOn(vm prismsim.VM, ended func()) {
	g.power.Lock()
	defer g.power.Unlock()
	if g.cancel != nil {
		ended()
		return
	}
	ctx, cancel := context.WithCancel(g.hypervisor.ctx)
	done := make(chan struct{})
	g.cancel, g.done = cancel, done
	g.mu.Lock()
	g.vm, g.failure, g.on = vm, "", true
	g.mu.Unlock()
	go func() {
		defer ended()
		defer close(done)
		g.run(ctx)
	}()
}

// powerOff kills the guest's processes and returns after all of them have exited. It does not wait for the API of the
// cluster, because etcd may lose its majority when this guest stops.
func (g *guest) powerOff() {
	g.power.Lock()
	defer g.power.Unlock()
	if g.cancel == nil {
		return
	}
	g.cancel()
	g.killAll()
	<-g.done
	g.cancel = nil
	g.mu.Lock()
	g.on = false
	c, node, joined := g.cluster, "", g.joined
	if g.config != nil {
		node = g.config.nodeName
	}
	g.mu.Unlock()
	if c != nil && joined {
		c.lost(g, node)
	}
}

// run boots the guest and keeps it running until it is powered off.
func (g *guest) run(ctx context.Context) {
	closeLog, err := g.openLog()
	if err != nil {
		g.fail(err)
		return
	}
	defer closeLog()
	defer g.killAll()
	started := time.Now()
	if err := g.boot(ctx); err != nil {
		if ctx.Err() == nil {
			g.fail(err)
			<-ctx.Done()
		}
	} else {
		g.hypervisor.options.Log.Info("guest has joined", "vm", g.name(), "after", time.Since(started).Round(time.Millisecond).String())
		g.serve(ctx)
	}
	if c := g.cluster; c != nil {
		c.leave(g)
	}
}

// fail records the reason why the guest never becomes a Node.
func (g *guest) fail(err error) {
	g.mu.Lock()
	g.failure = err.Error()
	log, path := g.log, g.logPath()
	g.mu.Unlock()
	log.Error(err, "the guest never becomes a Node")
	g.hypervisor.options.Log.Info("guest never becomes a Node", "vm", g.name(), "reason", err.Error(), "log", path)
}

// boot registers the guest as a Node of its cluster.
func (g *guest) boot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, g.hypervisor.options.BootTimeout)
	defer cancel()
	s, err := readSeed(g.vm.UserData, g.vm.MetaData, g.vm.Name)
	if err != nil {
		return err
	}
	k, err := readKubeadm(s)
	if err != nil {
		return err
	}
	g.mu.Lock()
	g.config = k
	g.mu.Unlock()
	g.log.Info("booting", "node", k.nodeName, "initialize", k.initialize, "controlPlane", k.keys != nil, "endpoint", k.endpoint)

	if k.initialize {
		g.cluster = g.hypervisor.startCluster(k)
	} else if g.cluster, err = g.hypervisor.findCluster(ctx, k); err != nil {
		return err
	}
	if err := g.configure(ctx); err != nil {
		return err
	}
	if k.keys != nil {
		return g.bootControlPlane(ctx)
	}
	return g.bootWorker(ctx)
}

// serve waits until the guest is powered off or one of its control-plane processes exits. An etcd member exits when it
// is removed from its cluster. serve then kills the API server as well, because clients of an API server without etcd
// would hang.
func (g *guest) serve(ctx context.Context) {
	g.mu.Lock()
	processes := g.processes
	g.mu.Unlock()
	ended := make(chan *process.Process, len(processes))
	for _, p := range processes {
		go func() {
			<-p.Done()
			ended <- p
		}()
	}
	select {
	case <-ctx.Done():
	case p := <-ended:
		if ctx.Err() == nil {
			g.log.Info("a process has ended, and the control plane with it", "process", p.Name(), "result", fmt.Sprint(p.Err()))
		}
		g.cluster.leave(g)
		g.killAll()
		if p.Err() == nil {
			// An exit without an error means that the member was removed from the cluster, so its data can no longer be used.
			_ = os.RemoveAll(filepath.Join(g.dir, "etcd", "data"))
		}
		<-ctx.Done()
	}
}

// start registers a process that was just started, so that powerOff kills it.
func (g *guest) start(ctx context.Context, p *process.Process, err error) (*process.Process, error) {
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.processes = append(g.processes, p)
	g.mu.Unlock()
	if ctx.Err() != nil {
		// The guest was powered off after the process was started and before it was registered.
		p.Kill()
		return nil, ctx.Err()
	}
	return p, nil
}

// forget unregisters a process, so that the control plane does not stop when the process exits.
func (g *guest) forget(p *process.Process) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.processes = slices.DeleteFunc(slices.Clone(g.processes), func(known *process.Process) bool { return known == p })
}

// killAll kills the processes of the guest and closes its kubelet server.
func (g *guest) killAll() {
	g.mu.Lock()
	processes, kubelet := g.processes, g.kubelet
	g.processes, g.kubelet = nil, nil
	g.mu.Unlock()
	if kubelet != nil {
		_ = kubelet.Close()
	}
	for _, p := range processes {
		p.Kill()
	}
}

func (g *guest) setKubelet(server *http.Server) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.kubelet = server
}

func (g *guest) processNames() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var names []string
	for _, p := range g.processes {
		select {
		case <-p.Done():
		default:
			names = append(names, p.Name())
		}
	}
	return names
}

func (g *guest) name() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.vm.Name
}

func (g *guest) state() State {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := State{VM: g.vm.Name, UUID: g.vm.UUID, On: g.on, Joined: g.joined, Failure: g.failure, Log: g.logPath()}
	if g.config != nil {
		s.Node, s.ControlPlane = g.config.nodeName, g.config.keys != nil
	}
	return s
}

// ip returns the address on which the guest serves. It is the first address of the first NIC that has an address.
func (g *guest) ip() (string, error) {
	for _, nic := range g.vm.NICs {
		if len(nic.IPs) > 0 {
			return nic.IPs[0], nil
		}
	}
	return "", fmt.Errorf("VM %s has no IP address: none of its NICs got one", g.vm.Name)
}

func (g *guest) logPath() string { return filepath.Join(g.dir, "guest.log") }

func (g *guest) openLog() (closeLog func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.log = g.hypervisor.options.Log
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the directory of VM %s: %w", g.vm.Name, err)
	}
	file, err := os.OpenFile(g.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of VM %s: %w", g.vm.Name, err)
	}
	g.log = funcr.New(func(_, line string) {
		_, _ = fmt.Fprintf(file, "%s %s\n", time.Now().Format("15:04:05.000"), line)
	}, funcr.Options{})
	return func() { _ = file.Close() }, nil
}
