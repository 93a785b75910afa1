// Package env runs a management cluster for end-to-end tests and demonstrations: etcd, kube-apiserver and
// kube-controller-manager as processes, and the unmodified controllers and webhooks of Cluster API (core, kubeadm
// bootstrap, kubeadm control plane) in this process. The provider under test runs as a child process.
package env

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/e2e/guest/plane"
	"github.com/capnt/capnt/e2e/guest/process"
)

const (
	// host is the address on which all servers of the management cluster listen.
	host = "127.0.0.1"
	// stopGrace is how long the manager and Cluster API may take to stop. It is longer than the manager itself waits for
	// running Terraform commands when it stops.
	stopGrace = 4 * time.Minute
	// installTimeout is how long the API server may take to serve the installed CRDs.
	installTimeout = 5 * time.Minute
	// apiServerIndex is the index of kube-apiserver in Environment.processes.
	apiServerIndex = 1
)

// Options configure an Environment.
type Options struct {
	// Dir is the directory for data, credentials and logs. Start creates the directory, and Close removes it.
	Dir string
	// Tools is the directory that contains bin/etcd, bin/kube-apiserver and bin/kube-controller-manager.
	Tools string
	// Log receives one line per phase. The controllers of Cluster API log to cluster-api.log in Dir.
	Log logr.Logger
	// WatchNamespace restricts Cluster API to one namespace. If it is empty, Cluster API watches all namespaces.
	WatchNamespace string
}

// Environment is a running management cluster.
type Environment struct {
	// Client reads and writes without a cache. The API server rejects unknown fields, as it does for kubectl.
	Client client.WithWatch

	options Options
	scheme  *runtime.Scheme
	plane   *controlPlane
	config  *rest.Config
	capi    *clusterAPI
	// processes contains the processes in the order in which they were started.
	processes []*process.Process

	mu       sync.Mutex
	provider *provider
}

// Start starts the management cluster with Cluster API. If it fails, it stops all parts that it has started.
//
// Cluster API keeps state in package variables (feature gates, conversion, log), so a process must not run two
// environments at the same time.
func Start(ctx context.Context, options Options) (*Environment, error) {
	e := &Environment{options: options, scheme: NewScheme()}
	if err := e.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the management cluster: %w", err), e.Close())
	}
	return e, nil
}

func (e *Environment) start(ctx context.Context) error {
	if err := os.MkdirAll(e.options.Dir, 0o700); err != nil {
		return err
	}
	started := time.Now()
	phase := func(name string) {
		e.options.Log.Info(name, "after", time.Since(started).Round(100*time.Millisecond).String())
	}
	if err := e.startPlane(ctx); err != nil {
		return err
	}
	phase("management API server is ready")
	hooks, err := e.installClusterAPI()
	if err != nil {
		return err
	}
	phase("Cluster API is installed")
	if err := e.startControllerManager(); err != nil {
		return err
	}
	e.capi, err = startClusterAPI(ctx, e.config, e.scheme, hooks, e.options)
	if err != nil {
		return err
	}
	phase("Cluster API is running")
	return nil
}

// startPlane starts etcd and kube-apiserver, and creates the administrator's client.
func (e *Environment) startPlane(ctx context.Context) error {
	var err error
	if e.plane, err = newControlPlane(e.options); err != nil {
		return err
	}
	for _, start := range []func(context.Context) (*process.Process, error){e.plane.startEtcd, e.plane.startAPIServer} {
		p, err := start(ctx)
		if p != nil {
			e.processes = append(e.processes, p)
		}
		if err != nil {
			return err
		}
	}
	if e.config, err = e.plane.clientConfig(plane.Admin()); err != nil {
		return err
	}
	if err := plane.WriteKubeconfig(e.config, "management", e.Kubeconfig()); err != nil {
		return err
	}
	made, err := client.NewWithWatch(e.config, client.Options{Scheme: e.scheme})
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	e.Client = strict(made)
	return nil
}

func (e *Environment) startControllerManager() error {
	p, err := e.plane.startControllerManager(e.Kubeconfig())
	if err != nil {
		return err
	}
	e.processes = append(e.processes, p)
	return nil
}

// Kubeconfig returns the path of an administrator's kubeconfig.
func (e *Environment) Kubeconfig() string { return filepath.Join(e.options.Dir, "kubeconfig") }

// ClientAs returns a client that sends its requests as the user with the given name. The user has the permissions that RoleBindings grant.
func (e *Environment) ClientAs(user string) (client.WithWatch, error) {
	config := rest.CopyConfig(e.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	made, err := client.NewWithWatch(config, client.Options{Scheme: e.scheme})
	if err != nil {
		return nil, fmt.Errorf("making a client of user %s: %w", user, err)
	}
	return strict(made), nil
}

// Dir returns the directory of the environment, which contains its logs.
func (e *Environment) Dir() string { return e.options.Dir }

// Close stops all processes and controllers and removes the directory. It may be called more than once.
func (e *Environment) Close() error {
	var problems []error
	if e.provider != nil {
		problems = append(problems, e.StopManager())
	}
	if e.capi != nil {
		problems = append(problems, e.capi.stop())
		e.capi = nil
	}
	for i := len(e.processes) - 1; i >= 0; i-- {
		// The processes need no orderly shutdown, because their data is deleted afterwards.
		e.processes[i].Kill()
	}
	e.processes = nil
	problems = append(problems, os.RemoveAll(e.options.Dir))
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("closing the management cluster: %w", err)
	}
	return nil
}
