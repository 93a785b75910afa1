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
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/log"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/renderer"
)

var update = flag.Bool("update", false, "write the golden transcripts")

func init() { log.SetLogger(logr.Discard()) }

const (
	machineAddress = renderer.MachineAddress
	password       = "nutanix/4u"
	deadline       = 2 * time.Minute
)

// world is one target with everything around it. What happens is written down and compared with a transcript.
type world struct {
	*double
	t        *testing.T
	clock    *clocktesting.FakePassiveClock
	gateway  *gateway.Gateway
	pipeline *Pipeline
	target   Target
	status   infrav1.TerraformStatus
	// identify answers the hook: by default nothing exists.
	identify func(known string) (string, error)
	healthy  func(id string) (bool, error)
	// beforeDestroy answers the hook: by default everything is ready.
	beforeDestroy func(id string) error
	// observe answers the hook; nil observes nothing and writes nothing down.
	observe func(id string) (Observation, error)
	stop    context.CancelFunc
	stopped chan error
	logs    *logbook
}

func newWorld(t *testing.T) *world {
	t.Helper()
	door, err := gateway.New(gateway.Options{Address: "127.0.0.1:0", Log: logr.Discard()})
	require.NoError(t, err)
	serving, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- door.Start(serving) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-served)
	})
	w := &world{
		double: newDouble(), t: t, gateway: door, logs: &logbook{t: t},
		clock:    clocktesting.NewFakePassiveClock(time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)),
		identify: func(string) (string, error) { return "", nil },
		healthy:  func(string) (bool, error) { return true, nil },
	}
	w.target = Target{
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
				w.log("    identify %q", known)
				id, err := w.identify(known)
				if err != nil {
					w.log("      ! %v", err)
				}
				return id, err
			},
			Observe: func(_ context.Context, id string) (Observation, error) {
				if w.observe == nil {
					return Observation{Found: true}, nil
				}
				w.log("    observe %s", id)
				return w.observe(id)
			},
			BeforeDestroy: func(_ context.Context, id string) error {
				if w.beforeDestroy == nil {
					return nil
				}
				w.log("    before destroying %s", id)
				return w.beforeDestroy(id)
			},
			Export: func(_ context.Context, state []byte, observed map[string][]byte) error {
				return w.enter(context.Background(), "export", fmt.Sprintf("export %s, observed %s", state, slices.Collect(maps.Keys(observed))))
			},
			Healthy: func(_ context.Context, id string) (bool, error) {
				w.log("    healthy? %s", id)
				return w.healthy(id)
			},
		},
	}
	w.start()
	return w
}

// start starts a manager, with nothing in its memory.
func (w *world) start() {
	w.pipeline = (&Pipeline{
		Engine: w.double, Gateway: gatewayDouble{w.gateway, w.double}, Pool: NewPool(2), State: keeperDouble{w.double}, Clock: w.clock,
		Holders:          &Holders{Host: "capnt-1", Started: w.clock.Now()},
		TerraformVersion: "1.11.4", ProviderVersion: "1.9.5",
	}).Init()
	ctx, cancel := context.WithCancel(context.Background())
	ctx = log.IntoContext(ctx, w.logs.logger())
	stopped, ended := make(chan error, 1), make(chan struct{})
	pool := w.pipeline.Pool
	go func() {
		defer close(ended)
		stopped <- pool.Start(ctx)
	}()
	w.t.Cleanup(func() {
		cancel()
		<-ended // with all runs, which use what the test does
	})
	require.Eventually(w.t, pool.started, deadline, time.Millisecond)
	w.stop, w.stopped = cancel, stopped
}

func (p *Pool) started() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ctx != nil
}

// restart kills the manager and starts another.
func (w *world) restart() {
	w.log("the manager restarts")
	w.stop()
	require.NoError(w.t, <-w.stopped)
	w.start()
}

// step reconciles once, and writes down what the object would say.
func (w *world) step() Result {
	w.stepping.Lock()
	defer w.stepping.Unlock()
	result := w.pipeline.Step(w.target)
	state := string(result.State)
	if result.Applying {
		state += ", applying"
	}
	line := "step: " + state
	if result.RetryAfter > 0 {
		line += fmt.Sprintf(", again after %s", result.RetryAfter)
	}
	w.log("%s", line)
	for _, event := range result.Events {
		w.log("  event %s %s %s: %s", event.Type, event.Action, event.Reason, event.Message)
	}
	for _, condition := range result.Conditions(w.target.Deleting()) {
		w.log("  %s %s %s %s", condition.Type, condition.Status, condition.Reason, condition.Message)
	}
	result.Record(&w.status, w.pipeline.TerraformVersion, w.pipeline.ProviderVersion)
	return result
}

// wait waits until the run under way has ended.
func (w *world) wait() {
	select {
	case ended := <-w.pipeline.Pool.Events(w.target.Kind):
		assert.Equal(w.t, w.target.Object.GetName(), ended.Object.GetName())
		w.log("  the run has ended")
	case <-time.After(deadline):
		require.Fail(w.t, "the run does not end", "%s", w.journal)
	}
}

// settle reconciles until nothing is under way.
func (w *world) settle() Result {
	for range 10 {
		result := w.step()
		if result.State != Running {
			return result
		}
		w.wait()
	}
	require.Fail(w.t, "the target does not settle", "%s", w.journal)
	return Result{}
}

func (w *world) advance(by time.Duration) {
	w.log("%s pass", by)
	w.clock.SetTime(w.clock.Now().Add(by))
}

// remembered hands the status back to the pipeline, as a reconciler does.
func (w *world) remember() {
	w.target.Remembered.Applied = Applied{WorkspaceDigest: w.status.WorkspaceDigest, Lineage: w.status.Lineage, Serial: w.status.Serial}
	if w.status.LastAppliedTime != nil {
		w.target.Remembered.Checked = w.status.LastAppliedTime.Time
	}
}

// render gives the object another spec.
func (w *world) render(digest string) {
	w.log("the workspace becomes %s", digest)
	w.target.Workspace.Digest = digest
}

// occupy takes a slot of the pool until done is closed.
func (w *world) occupy(key string, done <-chan struct{}) {
	entered := make(chan struct{})
	require.True(w.t, w.pipeline.Pool.Submit("none", key, nil, func(context.Context) { close(entered); <-done }))
	<-entered
}

// delete deletes the object.
func (w *world) delete() {
	w.log("the object is deleted")
	object := w.target.Object.DeepCopyObject().(*infrav1.NutanixMachine)
	object.DeletionTimestamp = &metav1.Time{Time: w.clock.Now()}
	w.target.Object = object
}

// compare compares what happened with the golden transcript of the test.
func (w *world) compare() {
	w.t.Helper()
	path := filepath.Join("testdata", filepath.Base(w.t.Name())+".txt")
	have := w.String()
	assert.NotContains(w.t, have, password)
	if *update {
		require.NoError(w.t, os.WriteFile(path, []byte(have), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(w.t, err, "run the test with -update when the scenario is new")
	assert.Equal(w.t, string(want), have, "run the test with -update when the change is meant")
}

var errPrism = errors.New("asking Prism Central: it answered 500 Internal Server Error")
