package controllertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/cluster-api/util/conditions"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/prism/transport"
	"github.com/capnt/capnt/internal/schedule"
	"github.com/capnt/capnt/internal/state"
)

// Deadline is how long a test waits for an asynchronous result.
const Deadline = 2 * time.Minute

// Environment is the test environment of one test: a namespace, a double of Prism Central, a double of Terraform, and the
// dependencies of reconcilers. At the end of the test it checks that no secret has leaked into objects, logs or events.
type Environment struct {
	provisioning.Dependencies
	T         testing.TB
	Namespace string
	Prism     *Prism
	Terraform *Terraform
	Clock     *clocktesting.FakePassiveClock
	Recorder  *Recorder

	secrets []string
	logs    *recording
}

// NewEnvironment creates a test environment with its own namespace. api is a client for the API server.
func NewEnvironment(t testing.TB, api client.Client) *Environment {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	require.NoError(t, api.Create(t.Context(), namespace))
	clock := clocktesting.NewFakePassiveClock(time.Now().Truncate(time.Second))
	upstreams := transport.NewUpstreams(clock.Now)
	proxy, err := gateway.New(gateway.Options{Address: "127.0.0.1:0", Log: logr.Discard(), Upstreams: upstreams})
	require.NoError(t, err)
	e := &Environment{
		T: t, Namespace: namespace.Name, Prism: NewPrism(), Recorder: &Recorder{}, logs: &recording{},
		Clock:   clock,
		secrets: []string{Password},
	}
	t.Cleanup(e.Prism.Close)
	e.Terraform = &Terraform{Prism: e.Prism}
	scheduler := schedule.New(schedule.Options{Slots: 2})
	e.Dependencies = provisioning.Dependencies{
		Client: api, Reader: api, Prism: prism.NewResolver(api, prism.Options{Upstreams: upstreams, Now: clock.Now}), Recorder: e.Recorder,
		Pipeline: (&lifecycle.Pipeline{
			Engine: e.Terraform, Gateway: proxy, Scheduler: scheduler, States: &state.Store{Client: api, Reader: api}, Clock: e.Clock,
			TerraformVersion: "1.11.4", ProviderVersion: "1.9.5",
			Plans:     &plan.Store{Client: api, Reader: api, Namespace: metav1.NamespaceDefault, Clock: clock},
			Approvals: &plan.Approvals{Client: api, Reader: api, Namespace: metav1.NamespaceDefault, Clock: clock},
		}).Init(),
		ProviderVersion: "1.9.5", DriftInterval: 10 * time.Minute, HealthInterval: time.Minute,
	}
	e.background(proxy.Start)
	e.background(scheduler.Start)
	e.Eventually("the scheduler accepts runs", func() bool { return scheduler.Submit(schedule.Run{Key: "none", Do: func(context.Context) {}}) })
	t.Cleanup(e.searchSecrets)
	return e
}

// background calls run in a goroutine and cancels the context of run at the end of the test.
func (e *Environment) background(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	e.T.Cleanup(func() {
		cancel()
		assert.NoError(e.T, <-ended)
	})
}

// ExpectNoLeak makes the test fail if secret leaks.
func (e *Environment) ExpectNoLeak(secret string) { e.secrets = append(e.secrets, secret) }

// Create creates objects in the API server.
func (e *Environment) Create(objects ...client.Object) {
	e.T.Helper()
	for _, object := range objects {
		require.NoError(e.T, e.Client.Create(e.T.Context(), object), "creating %T %s", object, object.GetName())
	}
}

// Change calls change with the object and updates the object's spec and metadata.
func Change[T client.Object](e *Environment, object T, change func(T)) {
	e.T.Helper()
	require.NoError(e.T, e.Client.Get(e.T.Context(), client.ObjectKeyFromObject(object), object))
	change(object)
	require.NoError(e.T, e.Client.Update(e.T.Context(), object))
}

// ChangeStatus calls change with the object and updates the object's status.
func ChangeStatus[T client.Object](e *Environment, object T, change func(T)) {
	e.T.Helper()
	require.NoError(e.T, e.Client.Get(e.T.Context(), client.ObjectKeyFromObject(object), object))
	change(object)
	require.NoError(e.T, e.Client.Status().Update(e.T.Context(), object))
}

// Reconcile reconciles an object once.
func (e *Environment) Reconcile(reconciler reconcile.Reconciler, object client.Object) (ctrl.Result, error) {
	ctx := ctrl.LoggerInto(e.T.Context(), funcr.New(e.logs.log, funcr.Options{Verbosity: 10}))
	return reconciler.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(object)})
}

// Settle reconciles an object until the object no longer changes and no run is under way. Then Settle reads the object
// back. It fails the test after 30 reconciles.
func (e *Environment) Settle(reconciler reconcile.Reconciler, kind string, object client.Object) ctrl.Result {
	e.T.Helper()
	for range 30 {
		before := e.version(object)
		result, err := e.Reconcile(reconciler, object)
		require.NoError(e.T, err)
		if e.Pipeline.Scheduler.Running(lifecycle.Target{Object: object, Kind: kind}.Key()) {
			e.awaitRun(kind)
		} else if e.drain(kind) == 0 && before == e.version(object) {
			return result
		}
	}
	require.Fail(e.T, "the object does not settle", "it changes with every reconcile: %s", e.dump())
	return ctrl.Result{}
}

// version reads the object and returns its resource version, or an empty string if the object does not exist.
func (e *Environment) version(object client.Object) string {
	err := e.Client.Get(e.T.Context(), client.ObjectKeyFromObject(object), object)
	require.NoError(e.T, client.IgnoreNotFound(err))
	if err != nil {
		return ""
	}
	return object.GetResourceVersion()
}

func (e *Environment) awaitRun(kind string) {
	e.T.Helper()
	select {
	case <-e.Pipeline.Scheduler.Events(kind):
	case <-time.After(Deadline):
		require.Fail(e.T, "a run does not end")
	}
}

func (e *Environment) drain(kind string) int {
	for drained := 0; ; drained++ {
		select {
		case <-e.Pipeline.Scheduler.Events(kind):
		default:
			return drained
		}
	}
}

// RequireFalse requires the condition to be False with the reason, and to have a message.
func (e *Environment) RequireFalse(object provisioning.Object, condition, reason string) {
	e.T.Helper()
	found := conditions.Get(object, condition)
	require.NotNil(e.T, found, condition)
	require.Equal(e.T, reason, found.Reason, "%+v", found)
	assert.Equal(e.T, metav1.ConditionFalse, found.Status)
	assert.NotEmpty(e.T, found.Message)
}

// Gone reports whether the object no longer exists.
func (e *Environment) Gone(object client.Object) bool { return e.version(object) == "" }

// Advance moves the clock forward.
func (e *Environment) Advance(by time.Duration) { e.Clock.SetTime(e.Clock.Now().Add(by)) }

// dump returns the NutanixClusters and NutanixMachines of the namespace, the events and the logs.
func (e *Environment) dump() string {
	var all bytes.Buffer
	for _, list := range []client.ObjectList{&infrav1.NutanixClusterList{}, &infrav1.NutanixMachineList{}} {
		assert.NoError(e.T, e.Client.List(context.Background(), list, client.InNamespace(e.Namespace)))
		content, err := json.MarshalIndent(list, "", " ")
		assert.NoError(e.T, err)
		all.Write(content)
	}
	fmt.Fprintln(&all, e.Recorder.All(), e.logs.All())
	return all.String()
}

func (e *Environment) searchSecrets() {
	all := e.dump()
	for _, secret := range e.secrets {
		assert.NotContains(e.T, all, secret, "a secret leaked")
	}
}

// Recorder records events as "<type> <reason> <note>".
type Recorder struct{ recording }

// Eventf implements events.EventRecorder.
func (r *Recorder) Eventf(_, _ runtime.Object, eventtype, reason, _, note string, args ...any) {
	r.log(eventtype+" "+reason, fmt.Sprintf(note, args...))
}

type recording struct {
	mu    sync.Mutex
	lines []string
}

func (r *recording) log(prefix, args string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, prefix+" "+args)
}

// All returns all recorded lines.
func (r *recording) All() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}
