// Package stack starts the test environment of the demo and the scenarios: a management cluster with Cluster API, a
// simulated Prism Central with its guests, and the real manager as a child process.
package stack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/capnt/capnt/e2e/env"
	"github.com/capnt/capnt/e2e/guest"
	"github.com/capnt/capnt/e2e/prismsim"
)

// Options configure a stack.
type Options struct {
	// Dir is the directory for all files that the stack writes. Close removes the directory.
	Dir string
	// Repository is the root of the source tree. It must contain .tools, config and the built manager.
	Repository string
	// Network is the loopback network that the stack uses.
	Network Network
	// Inventory is the content of the simulated Prism Central.
	Inventory *prismsim.Inventory
	// Credentials are the only credentials that Prism Central accepts.
	Credentials Credentials
	Latency     prismsim.Latencies
	// SecondAnswers makes Prism Central use the second set of simulator rules; see prismsim.Answers.
	SecondAnswers bool
	// Provider is the version of CAPNT that Start installs. If it is nil, Start installs the version in Repository.
	Provider *Provider
	// RenumberedProvider makes Start add RenumberedVersion to the provider mirror.
	RenumberedProvider bool
	// BeforeManager is called before the manager starts. It may create objects and virtual machines, and may call Install
	// to upgrade CAPNT.
	BeforeManager func(ctx context.Context, s *Stack) error
	// WithoutPrism starts the stack without a Prism Central, so that Stack.Prism is nil. It is used if the stack is a
	// second management cluster that shares the Prism Central of another stack.
	WithoutPrism bool
	// WithoutGuests starts the stack without a hypervisor, so that VMs have no guests and Stack.Guests is nil. It is used
	// in tests that need VMs but no Kubernetes nodes.
	WithoutGuests bool
	// ManagerArgs are additional flags of the manager.
	ManagerArgs []string
	Log         logr.Logger
	// Phase is called before each part of the stack is started, with a description of the part.
	Phase func(name string)
}

// Provider contains the paths of the files of one version of CAPNT.
type Provider struct {
	// CRDs is the path of a file or a directory that contains CRDs.
	CRDs string
	// Webhooks is the path of a file that contains webhook configurations. If it is empty, no webhooks are installed.
	Webhooks string
	// RBAC is the path of a directory that contains the manager's roles. If it is empty, the manager runs as an
	// administrator.
	RBAC string
	// Manager is the path of the manager's binary.
	Manager string
}

// Built returns the provider in a source tree. The manager must already be built.
func Built(repository string) Provider {
	config := filepath.Join(repository, "config")
	return Provider{
		CRDs: filepath.Join(config, "crd/bases"), Webhooks: filepath.Join(config, "webhook/manifests.yaml"),
		RBAC: filepath.Join(config, "rbac"), Manager: filepath.Join(repository, ".tools/bin/capnt-manager"),
	}
}

// Credentials are the user name and password of the simulated Prism Central's only account.
type Credentials struct{ Username, Password string }

// Stack is a running test environment; see Start.
type Stack struct {
	Env    *env.Environment
	Prism  *prismsim.Server
	Guests *guest.Hypervisor

	options  Options
	provider Provider

	mu sync.Mutex
	// endpoints contains the control plane endpoints that Adapt has assigned. The key is the namespace and name of the
	// cluster.
	endpoints map[string]string
}

// step is one step of Start. Its name is used in progress messages.
type step struct {
	name  string
	start func(context.Context) error
}

// Start starts all parts of the stack. If a part fails to start, Start stops the parts that are already running.
func Start(ctx context.Context, options Options) (*Stack, error) {
	if options.Phase == nil {
		options.Phase = func(string) {}
	}
	s := &Stack{options: options, endpoints: map[string]string{}}
	steps := []step{
		{"management cluster with Cluster API", s.startManagement},
		{"Prism Central (simulated) and its hypervisor", s.startPrism},
	}
	if options.RenumberedProvider {
		steps = append(steps, step{"provider mirror with a renumbered version", s.renumberProvider})
	}
	if options.BeforeManager != nil {
		steps = append(steps, step{"what is there before the manager", func(ctx context.Context) error { return options.BeforeManager(ctx, s) }})
	}
	for _, step := range append(steps, step{"capnt-manager", s.StartManager}) {
		options.Phase(step.name)
		if err := step.start(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("starting %s: %w", step.name, err), s.Close())
		}
	}
	return s, nil
}

func (s *Stack) startManagement(ctx context.Context) error {
	management, err := env.Start(ctx, env.Options{Dir: filepath.Join(s.options.Dir, "management"), Tools: s.tools(), Log: s.options.Log})
	if err != nil {
		return err
	}
	s.Env = management
	if s.options.Provider != nil {
		return s.Install(*s.options.Provider)
	}
	return s.Install(Built(s.options.Repository))
}

// Install installs the CRDs and webhook configurations of a provider. If other versions are already installed, Install
// replaces them. It does not start the manager.
func (s *Stack) Install(provider Provider) error {
	s.provider = provider
	return s.Env.InstallProvider(provider.CRDs, provider.Webhooks)
}

func (s *Stack) startPrism(ctx context.Context) error {
	if s.options.WithoutPrism {
		return nil
	}
	if UsesV4() {
		makeCurrent(s.options.Inventory)
	}
	options := prismsim.Options{
		Inventory: s.options.Inventory, Address: s.options.Network.Prism(),
		Username: s.options.Credentials.Username, Password: s.options.Credentials.Password,
		Latency: s.options.Latency, Log: s.options.Log,
	}
	options.Rules, options.Network = prismsim.Answers(s.options.SecondAnswers)
	if !s.options.WithoutGuests {
		s.Guests = guest.New(guest.Options{
			Tools: s.tools(), Dir: filepath.Join(s.options.Dir, "guests"), Log: s.options.Log,
			Programs:   map[string]string{"capnt-ccm": s.Tool("bin/capnt-ccm")},
			VersionFor: func(ctx context.Context, vm prismsim.VM) string { return s.Env.MachineVersion(ctx, vm.Name) },
		})
		options.Hypervisor = s.Guests
	}
	prism, err := prismsim.New(options)
	if err != nil {
		return err
	}
	s.Prism = prism
	return prism.Start(ctx)
}

// StartManager starts the manager, which must not be running.
func (s *Stack) StartManager(ctx context.Context) error { return s.StartManagerWith(ctx) }

// StartManagerWith starts the manager with flags that override those of the stack.
func (s *Stack) StartManagerWith(ctx context.Context, flags ...string) error {
	args := []string{
		"--gateway-address=" + s.options.Network.Gateway(),
		"--terraform-path=" + s.Tool("bin/terraform"),
		"--provider-mirror=" + s.mirror(),
		"--provider-version=" + ProviderVersion,
	}
	return s.Env.StartManager(ctx, env.ManagerOptions{
		Binary: s.provider.Manager,
		Args:   slices.Concat(args, s.options.ManagerArgs, flags),
		RBAC:   s.provider.RBAC,
	})
}

// Close stops all parts and removes their files.
func (s *Stack) Close() error {
	var problems []error
	if s.Env != nil {
		problems = append(problems, s.Env.StopManager())
	}
	if s.Prism != nil {
		s.Prism.Close()
	}
	if s.Guests != nil {
		problems = append(problems, s.Guests.Close())
	}
	if s.Env != nil {
		problems = append(problems, s.Env.Close())
	}
	return errors.Join(problems...)
}

// Tool returns the path of a tool that the Makefile has installed, for example "bin/terraform".
func (s *Stack) Tool(name string) string { return filepath.Join(s.tools(), name) }

// Options returns the options with which the stack was started.
func (s *Stack) Options() Options { return s.options }

func (s *Stack) tools() string { return filepath.Join(s.options.Repository, ".tools") }

// creationFactor is how many times longer the creation of a virtual machine takes than its other operations.
const creationFactor = 5

// Latencies returns the latencies of a Prism Central in which the creation of a virtual machine takes the duration
// create.
func Latencies(create time.Duration) prismsim.Latencies {
	return prismsim.Latencies{Create: create, Update: create / creationFactor, Delete: create / creationFactor, PowerOn: create / creationFactor}
}
