package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/audit"
	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/prism/transport"
	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/internal/schedule"
	"github.com/capnt/capnt/internal/state"
	"github.com/capnt/capnt/internal/terraform"
)

// parts contains the components that the reconcilers share.
type parts struct {
	terraform *terraform.Terraform
	gateway   *gateway.Gateway
	pipeline  *lifecycle.Pipeline
	prism     *prism.Resolver
	// providerVersions lists the versions of the nutanix provider that runs can use.
	providerVersions []string
}

// gatewayHeadStart is how much earlier than the manager the gateway stops waiting for runs during shutdown.
const gatewayHeadStart = 5 * time.Second

// newParts creates the parts and adds the gateway and the scheduler to the manager.
func newParts(ctx context.Context, mgr ctrl.Manager, options *options, scratch string) (*parts, error) {
	plans := &plan.Store{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Clock: clock.RealClock{},
		Metrics: plan.NewMetrics(mgr.GetClient(), mgr.Elected()), Namespace: managerNamespace()}
	if err := register(plans.Metrics); err != nil {
		return nil, err
	}
	states, holders, err := newStates(mgr, options)
	if err != nil {
		return nil, err
	}
	if plans.Trail, err = newTrail(ctx, mgr, options, plans.Namespace, states); err != nil {
		return nil, err
	}
	key, err := plans.Secret(ctx)
	if err != nil {
		return nil, err
	}
	engine, err := newTerraform(ctx, mgr, options, scratch, key)
	if err != nil {
		return nil, err
	}
	upstreams := transport.NewUpstreams(time.Now)
	server, err := gateway.New(gateway.Options{
		Address:         options.gatewayAddress,
		Log:             mgr.GetLogger(),
		Registerer:      metrics.Registry,
		QPS:             options.prismQPS,
		Burst:           options.prismBurst,
		Upstreams:       upstreams,
		ShutdownTimeout: max(options.shutdownTimeout-gatewayHeadStart, time.Second),
	})
	if err != nil {
		return nil, fmt.Errorf("opening the gateway of --gateway-address: %w", err)
	}
	pipeline, err := newPipeline(mgr, options, engine, server, plans, states, holders, scratch)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(mgr.Add(server), mgr.Add(pipeline.Scheduler)); err != nil {
		return nil, fmt.Errorf("adding gateway and scheduler to the manager: %w", err)
	}
	resolver := prism.NewResolver(mgr.GetClient(), prism.Options{QPS: options.prismQPS, Burst: options.prismBurst, Upstreams: upstreams})
	return &parts{terraform: engine, gateway: server, pipeline: pipeline, prism: resolver, providerVersions: usableProviders(engine)}, nil
}

// inherited lists the environment variables that runs inherit from the manager. A state backend may need a proxy.
var inherited = []string{"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"}

// findTerraform finds the Terraform binary or, with --terraform-download, downloads one.
func findTerraform(ctx context.Context, log logr.Logger, options *options) (terraform.Binary, error) {
	binary, err := terraform.Find(ctx, terraform.FindOptions{
		Path:          options.terraformPath,
		AllowDownload: options.terraformDownload,
		ReleasesURL:   options.terraformReleasesURL,
		OnDownload: func(version, dir string) {
			log.Info("Downloading Terraform", "version", version, "dir", dir, "mirror", options.terraformReleasesURL)
		},
	})
	if err != nil {
		return binary, fmt.Errorf("finding the binary of --terraform-path or --terraform-download: %w", err)
	}
	return binary, nil
}

// newTerraform finds the Terraform binary and creates the engine for its runs.
func newTerraform(ctx context.Context, mgr ctrl.Manager, options *options, scratch string, fingerprintKey []byte) (*terraform.Terraform, error) {
	binary, err := findTerraform(ctx, mgr.GetLogger(), options)
	if err != nil {
		return nil, err
	}
	environment := map[string]string{}
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			environment[name] = value
		}
	}
	engine, err := terraform.New(terraform.Config{
		Binary:         binary,
		MirrorDir:      options.providerMirror,
		ScratchDir:     scratch,
		Env:            environment,
		FingerprintKey: fingerprintKey,
		// A run is killed shortly before the manager stops waiting for the run.
		InterruptGrace: max(options.shutdownTimeout-2*gatewayHeadStart, time.Second),
	})
	if err != nil {
		return nil, fmt.Errorf("preparing Terraform with --provider-mirror=%s: %w", options.providerMirror, err)
	}
	if !slices.Contains(usableProviders(engine), options.providerVersion) {
		return nil, noProvider(engine, options)
	}
	if err := register(engine.Collectors()...); err != nil {
		return nil, err
	}
	return engine, nil
}

func register(collectors ...prometheus.Collector) error {
	for _, collector := range collectors {
		if err := metrics.Registry.Register(collector); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

// usableProviders returns the versions of the nutanix provider that are in the mirror and that this manager supports.
func usableProviders(engine *terraform.Terraform) []string {
	return slices.DeleteFunc(engine.ProviderVersions(), func(version string) bool {
		_, err := provider.ForVersion(version)
		return err != nil
	})
}

// supportedAPIs returns the generations of the Prism API that runs with at least one of the versions can use.
func supportedAPIs(providerVersions []string) []infrav1.PrismAPI {
	apis := []infrav1.PrismAPI{infrav1.PrismAPIV3}
	for _, version := range providerVersions {
		if generation, err := provider.ForVersion(version); err == nil && generation.V4 {
			return append(apis, infrav1.PrismAPIV4)
		}
	}
	return apis
}

// noProvider returns an error that explains why the version in --provider-version cannot be used. The manager does not start with such a
// version, because it could not provision new objects.
func noProvider(engine *terraform.Terraform, options *options) error {
	problems := []error{fmt.Errorf("reading --provider-mirror=%s: it has %s in the versions %s, but --provider-version=%s",
		options.providerMirror, terraform.ProviderSource, strings.Join(engine.ProviderVersions(), ", "), options.providerVersion)}
	if _, err := provider.ForVersion(options.providerVersion); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(append(problems, engine.UnusableProviders()[options.providerVersion])...)
}

// newStates creates the store of Terraform states, and the holders that recognize stale locks. It adds the sweeper of states to the manager.
func newStates(mgr ctrl.Manager, options *options) (*state.Store, *lifecycle.Holders, error) {
	host, err := os.Hostname() // Terraform writes the host name into its locks
	if err != nil {
		return nil, nil, fmt.Errorf("reading the host name: %w", err)
	}
	holders := &lifecycle.Holders{Host: host, Started: time.Now(), Client: mgr.GetClient(), Reader: mgr.GetAPIReader(),
		Namespace: os.Getenv("POD_NAMESPACE"), Pod: os.Getenv("POD_NAME")}
	states := &state.Store{
		Client: mgr.GetClient(), Reader: mgr.GetAPIReader(),
		Grace: options.leaseDuration,
		Dead: func(ctx context.Context, lock state.Lock) (bool, error) {
			return holders.Dead(ctx, (*terraform.LockInfo)(&lock))
		},
	}
	if options.leaderElect && holders.Namespace != "" {
		states.Election = &client.ObjectKey{Namespace: holders.Namespace, Name: leaderElectionID}
	}
	if err := mgr.Add(&state.Sweeper{Store: states, Namespace: options.namespace}); err != nil {
		return nil, nil, fmt.Errorf("adding the sweeper of states to the manager: %w", err)
	}
	return states, holders, nil
}

// newTrail creates the audit trail and adds it to the manager.
func newTrail(ctx context.Context, mgr ctrl.Manager, options *options, namespace string, states *state.Store) (*audit.Log, error) {
	settings := options.audit
	settings.Client, settings.Reader, settings.Namespace = mgr.GetClient(), mgr.GetAPIReader(), namespace
	settings.Term, settings.Precedes = func() string { return states.LeaderTerm(ctx) }, state.Precedes
	trail, err := audit.New(settings)
	if err != nil {
		return nil, fmt.Errorf("opening the audit trail of --audit-log-path: %w", err)
	}
	if err := register(trail); err != nil {
		return nil, err
	}
	if err := mgr.Add(trail); err != nil {
		return nil, fmt.Errorf("adding the audit trail to the manager: %w", err)
	}
	return trail, nil
}

// newPipeline creates the pipeline that all kinds share.
func newPipeline(mgr ctrl.Manager, options *options, engine *terraform.Terraform, server *gateway.Gateway, plans *plan.Store, states *state.Store, holders *lifecycle.Holders, scratch string) (*lifecycle.Pipeline, error) {
	scheduler := schedule.New(schedule.Options{Slots: options.maxRuns, Memory: options.runMemory, Timeout: options.runTimeout})
	if err := register(scheduler); err != nil {
		return nil, err
	}
	approvals := &plan.Approvals{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Namespace: plans.Namespace,
		GitOps: sets.New(options.gitOpsAccounts...), Floor: options.approvalFloor, Clock: clock.RealClock{}}
	pipeline := &lifecycle.Pipeline{
		Engine:           opener{engine},
		Gateway:          server,
		Scheduler:        scheduler,
		States:           states,
		Holders:          holders,
		Plans:            plans,
		Approvals:        approvals,
		Clock:            clock.RealClock{},
		TerraformVersion: engine.Binary().Version,
		OpenTofu:         engine.Binary().Product == terraform.ProductOpenTofu,
		ProviderVersion:  options.providerVersion,
		UnwrittenDir:     scratch,
	}
	return pipeline.Init(), nil
}

// opener adapts terraform.Terraform to lifecycle.Engine.
type opener struct{ *terraform.Terraform }

func (o opener) Open(ctx context.Context, options terraform.RunOptions) (lifecycle.Workspace, error) {
	run, err := o.Terraform.Open(ctx, options)
	if err != nil {
		return nil, err // returning run would return a non-nil Workspace that contains a nil *Run
	}
	return run, nil
}

// logStart logs the versions and addresses that this manager uses.
func (p *parts) logStart(log logr.Logger) {
	binary := p.terraform.Binary()
	log.Info("Starting the manager", "version", buildVersion(), "terraform", binary.Product, "terraformVersion", binary.Version,
		"terraformPath", binary.Path, "providerVersion", p.pipeline.ProviderVersion, "providerVersions", p.providerVersions,
		"prismAPIs", supportedAPIs(p.providerVersions), "gateway", p.gateway.Addr())
	for version, err := range p.terraform.UnusableProviders() {
		log.Error(err, "A version of the nutanix provider in the mirror cannot be used", "version", version)
	}
}
