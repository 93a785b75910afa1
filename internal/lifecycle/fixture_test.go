package lifecycle

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/log"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/schedule"
	"github.com/capnt/capnt/renderer"
)

var update = flag.Bool("update", false, "write the golden transcripts")

func init() { log.SetLogger(logr.Discard()) }

const (
	machineAddress = renderer.MachineAddress
	password       = "nutanix/4u"
	deadline       = 2 * time.Minute
)

// fixture contains a target, a pipeline and test doubles. It records all calls in a transcript.
type fixture struct {
	*double
	t        *testing.T
	clock    *clocktesting.FakePassiveClock
	gateway  *gateway.Gateway
	pipeline *Pipeline
	target   Target
	status   infrav1.TerraformStatus
	// identify is the hook Identify. By default no infrastructure exists.
	identify func(known string) (string, error)
	healthy  func(id string) (bool, error)
	// beforeDestroy is the hook BeforeDestroy. If it is nil, the infrastructure is ready to be destroyed.
	beforeDestroy func(id string) error
	// observe is the hook Observe. If it is nil, the hook reports that the infrastructure exists and writes nothing to the transcript.
	observe func(id string) (Observation, error)
	// api stores the object if its runs are recorded (see recordRuns).
	api client.Client
	// plans stores the plans and decisions.
	plans   client.Client
	stop    context.CancelFunc
	stopped chan error
	logs    *logRecorder
	// scheduling applies to the next start.
	scheduling schedule.Options
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	proxy, err := gateway.New(gateway.Options{Address: "127.0.0.1:0", Log: logr.Discard()})
	require.NoError(t, err)
	serving, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- proxy.Start(serving) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-served)
	})
	f := &fixture{
		double: newDouble(), t: t, gateway: proxy, logs: &logRecorder{t: t},
		clock:      clocktesting.NewFakePassiveClock(time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)),
		scheduling: schedule.Options{Slots: 2, Memory: 3 * schedule.RunMemory},
		identify:   func(string) (string, error) { return "", nil },
		healthy:    func(string) (bool, error) { return true, nil },
	}
	f.plans = newPlans(t, f.clock)
	f.target = Target{
		Object: &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "m-1", UID: "uid-1"}},
		Kind:   "NutanixMachine",
		Desired: Desired{
			Workspace:     renderer.Workspace{Files: map[string][]byte{"main.tf": []byte("# main")}, Digest: "digest-1"},
			Upstream:      gateway.Upstream{Address: "127.0.0.1:1", Username: "admin", Password: password, Insecure: true},
			Resource:      machineAddress,
			CheckInterval: 10 * time.Minute,
		},
		Hooks: Hooks{
			Identify: func(_ context.Context, known string) (string, error) {
				f.log("    identify %q", known)
				id, err := f.identify(known)
				if err != nil {
					f.log("      ! %v", err)
				}
				return id, err
			},
			Observe: func(_ context.Context, id string) (Observation, error) {
				if f.observe == nil {
					return Observation{Found: true}, nil
				}
				f.log("    observe %s", id)
				return f.observe(id)
			},
			BeforeDestroy: func(_ context.Context, id string) error {
				if f.beforeDestroy == nil {
					return nil
				}
				f.log("    before destroying %s", id)
				return f.beforeDestroy(id)
			},
			Export: func(_ context.Context, state []byte, observed map[string][]byte) error {
				return f.enter(context.Background(), "export", fmt.Sprintf("export %s, observed %s", state, slices.Collect(maps.Keys(observed))))
			},
			Healthy: func(_ context.Context, id string) (bool, error) {
				f.log("    healthy? %s", id)
				return f.healthy(id)
			},
		},
	}
	f.start()
	return f
}

// start starts a manager that has no memory of earlier runs.
func (f *fixture) start() {
	f.pipeline = (&Pipeline{
		Engine: f.double, Gateway: gatewayDouble{f.gateway, f.double}, Scheduler: schedule.New(f.scheduling), Clock: f.clock,
		Holders:          &Holders{Host: "capnt-1", Pod: "capnt-1", Namespace: "capnt-system", Started: f.clock.Now(), Client: f.api, Reader: f.api},
		TerraformVersion: "1.11.4", ProviderVersion: "1.9.5",
		Plans:     &plan.Store{Client: f.plans, Reader: f.plans, Namespace: "capnt-system", Clock: f.clock},
		Approvals: &plan.Approvals{Client: f.plans, Reader: f.plans, Namespace: "capnt-system", Clock: f.clock},
	}).Init()
	ctx, cancel := context.WithCancel(context.Background())
	ctx = log.IntoContext(ctx, f.logs.logger())
	stopped, ended := make(chan error, 1), make(chan struct{})
	scheduler := f.pipeline.Scheduler
	go func() {
		defer close(ended)
		stopped <- scheduler.Start(ctx)
	}()
	f.t.Cleanup(func() {
		cancel()
		<-ended // runs use t, so they must end before the test does
	})
	started := func() bool { return scheduler.Submit(schedule.Run{Key: "started", Do: func(context.Context) {}}) }
	require.Eventually(f.t, started, deadline, time.Millisecond)
	f.stop, f.stopped = cancel, stopped
}

// restart stops the manager and starts another one.
func (f *fixture) restart() {
	f.log("the manager restarts")
	f.stop()
	require.NoError(f.t, <-f.stopped)
	f.start()
}

// step reconciles once and writes the resulting state, events and conditions to the transcript.
func (f *fixture) step() Result {
	f.stepping.Lock()
	defer f.stepping.Unlock()
	result := f.pipeline.Step(f.t.Context(), f.target)
	state := string(result.State)
	if result.Applying {
		state += ", applying"
	}
	line := "step: " + state
	if result.RetryAfter > 0 {
		line += fmt.Sprintf(", again after %s", result.RetryAfter.Round(time.Second))
	}
	f.log("%s", line)
	for _, event := range result.Events {
		f.log("  event %s %s %s: %s", event.Type, event.Action, event.Reason, event.Message)
	}
	for _, condition := range result.Conditions(f.target.Deleting()) {
		f.log("  %s %s %s %s", condition.Type, condition.Status, condition.Reason, condition.Message)
	}
	result.Record(&f.status, f.pipeline.TerraformVersion, f.pipeline.ProviderVersion)
	return result
}

// wait waits until the current run has ended, or until it has made a plan and waits for a step.
func (f *fixture) wait() {
	select {
	case ended := <-f.pipeline.Scheduler.Events(f.target.Kind):
		assert.Equal(f.t, f.target.Object.GetName(), ended.Object.GetName())
		what := "the run has ended"
		if f.pipeline.Scheduler.Running(f.target.Key()) {
			what = "the run waits for a step"
		}
		f.log("  %s", what)
	case <-time.After(deadline):
		require.Fail(f.t, "the run does not end", "%s", f.transcript)
	}
}

// settle reconciles until no run is queued or running.
func (f *fixture) settle() Result {
	for range 10 {
		result := f.step()
		if result.State != Running {
			return result
		}
		f.wait()
	}
	require.Fail(f.t, "the target does not settle", "%s", f.transcript)
	return Result{}
}

func (f *fixture) advance(by time.Duration) {
	f.log("%s pass", by)
	f.clock.SetTime(f.clock.Now().Add(by))
}

// remember passes the recorded status to the next step, as a reconciler does.
func (f *fixture) remember() {
	f.target.Remembered.Applied = Applied{WorkspaceDigest: f.status.WorkspaceDigest, Lineage: f.status.Lineage, Serial: f.status.Serial}
	if f.status.LastCheckTime != nil {
		f.target.Remembered.Checked, f.target.Remembered.Digest = f.status.LastCheckTime.Time, f.status.InfrastructureDigest
	}
}

// render sets the digest of the workspace.
func (f *fixture) render(digest string) {
	f.log("the workspace becomes %s", digest)
	f.target.Workspace.Digest = digest
}

// occupy uses the capacity for one run until done is closed. If waits is true, the run needs no slot.
func (f *fixture) occupy(key string, waits bool, done <-chan struct{}) {
	entered := make(chan struct{})
	run := schedule.Run{Key: key, Tenant: key, Kind: "none", Waits: waits, Do: func(context.Context) { close(entered); <-done }}
	require.True(f.t, f.pipeline.Scheduler.Submit(run))
	<-entered
}

func (f *fixture) delete() {
	f.log("the object is deleted")
	object := f.target.Object.DeepCopyObject().(*infrav1.NutanixMachine)
	object.DeletionTimestamp = &metav1.Time{Time: f.clock.Now()}
	f.target.Object = object
}

// compare compares the transcript with the golden file of the test.
func (f *fixture) compare() {
	f.t.Helper()
	path := filepath.Join("testdata", filepath.Base(f.t.Name())+".txt")
	have := f.String()
	assert.NotContains(f.t, have, password)
	if *update {
		require.NoError(f.t, os.WriteFile(path, []byte(have), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(f.t, err, "run the test with -update when the scenario is new")
	assert.Equal(f.t, string(want), have, "run the test with -update when the change is meant")
}

var errPrism = errors.New("asking Prism Central: it answered 500 Internal Server Error")

// newPlans returns a client of an empty API server that stores plans and decisions. Each object has a UID and its time of creation.
func newPlans(t *testing.T, clock clock.PassiveClock) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, clientgoscheme.AddToScheme(scheme))
	require.NoError(t, infrav1.AddToScheme(scheme))
	return fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&infrav1.NutanixPlan{}, &infrav1.NutanixPlanDecision{}).
		WithInterceptorFuncs(interceptor.Funcs{
			Create: func(ctx context.Context, api client.WithWatch, object client.Object, options ...client.CreateOption) error {
				object.SetUID(uuid.NewUUID())
				object.SetCreationTimestamp(metav1.NewTime(clock.Now()))
				return api.Create(ctx, object, options...)
			},
		}).Build()
}
