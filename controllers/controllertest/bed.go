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
	"github.com/capnt/capnt/internal/prism"
)

// Deadline is how long a test waits for what happens beside it.
const Deadline = 2 * time.Minute

// Bed is the world of one test: a namespace, a Prism Central, a Terraform and what reconcilers are made of. When the test
// ends it looks whether a secret got out.
type Bed struct {
	provisioning.Dependencies
	T         *testing.T
	Namespace string
	Prism     *Prism
	Terraform *Terraform
	Clock     *clocktesting.FakePassiveClock
	Recorder  *Recorder

	secrets []string
	logs    *recording
}

// NewBed makes a bed with a namespace of its own in the API server behind the client.
func NewBed(t *testing.T, api client.Client) *Bed {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	require.NoError(t, api.Create(t.Context(), namespace))
	door, err := gateway.New(gateway.Options{Address: "127.0.0.1:0", Log: logr.Discard()})
	require.NoError(t, err)
	b := &Bed{
		T: t, Namespace: namespace.Name, Prism: NewPrism(), Recorder: &Recorder{}, logs: &recording{},
		Clock:   clocktesting.NewFakePassiveClock(time.Now().Truncate(time.Second)),
		secrets: []string{Password},
	}
	t.Cleanup(b.Prism.Close)
	b.Terraform = &Terraform{Client: api, Prism: b.Prism}
	pool := lifecycle.NewPool(2)
	b.Dependencies = provisioning.Dependencies{
		Client: api, Reader: api, Prism: prism.NewResolver(api, prism.Options{}), Recorder: b.Recorder,
		Pipeline: (&lifecycle.Pipeline{
			Engine: b.Terraform, Gateway: door, Pool: pool, State: &lifecycle.SecretKeeper{Client: api, Reader: api}, Clock: b.Clock,
			TerraformVersion: "1.11.4", ProviderVersion: "1.9.5",
		}).Init(),
		ProviderVersion: "1.9.5", DriftInterval: 10 * time.Minute, HealthInterval: time.Minute,
	}
	b.background(door.Start)
	b.background(pool.Start)
	b.Eventually("the pool takes runs", func() bool { return pool.Submit("none", "none", nil, func(context.Context) {}) })
	t.Cleanup(b.searchSecrets)
	return b
}

// background runs something until the test ends.
func (b *Bed) background(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	b.T.Cleanup(func() {
		cancel()
		assert.NoError(b.T, <-ended)
	})
}

// Hide names something that must not get out.
func (b *Bed) Hide(secret string) { b.secrets = append(b.secrets, secret) }

// Create creates objects.
func (b *Bed) Create(objects ...client.Object) {
	b.T.Helper()
	for _, object := range objects {
		require.NoError(b.T, b.Client.Create(b.T.Context(), object), "creating %T %s", object, object.GetName())
	}
}

// Change changes an object's spec and metadata; ChangeStatus its status.
func Change[T client.Object](b *Bed, object T, change func(T)) {
	b.T.Helper()
	require.NoError(b.T, b.Client.Get(b.T.Context(), client.ObjectKeyFromObject(object), object))
	change(object)
	require.NoError(b.T, b.Client.Update(b.T.Context(), object))
}

// ChangeStatus changes an object's status.
func ChangeStatus[T client.Object](b *Bed, object T, change func(T)) {
	b.T.Helper()
	require.NoError(b.T, b.Client.Get(b.T.Context(), client.ObjectKeyFromObject(object), object))
	change(object)
	require.NoError(b.T, b.Client.Status().Update(b.T.Context(), object))
}

// Reconcile reconciles an object once.
func (b *Bed) Reconcile(reconciler reconcile.Reconciler, object client.Object) (ctrl.Result, error) {
	ctx := ctrl.LoggerInto(b.T.Context(), funcr.New(b.logs.log, funcr.Options{Verbosity: 10}))
	return reconciler.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(object)})
}

// Settle reconciles an object until it neither changes nor waits for a run, and reads it back. It fails the test when that
// does not come to an end.
func (b *Bed) Settle(reconciler reconcile.Reconciler, kind string, object client.Object) ctrl.Result {
	b.T.Helper()
	for range 30 {
		before := b.version(object)
		result, err := b.Reconcile(reconciler, object)
		require.NoError(b.T, err)
		if b.Pipeline.Pool.Running(lifecycle.Target{Object: object, Kind: kind}.Key()) {
			b.awaitRun(kind)
		} else if b.drain(kind) == 0 && before == b.version(object) {
			return result
		}
	}
	require.Fail(b.T, "the object does not settle", "it changes with every reconcile: %s", b.dump())
	return ctrl.Result{}
}

// version reads the object and returns its resource version, or empty when it is gone.
func (b *Bed) version(object client.Object) string {
	err := b.Client.Get(b.T.Context(), client.ObjectKeyFromObject(object), object)
	require.NoError(b.T, client.IgnoreNotFound(err))
	if err != nil {
		return ""
	}
	return object.GetResourceVersion()
}

func (b *Bed) awaitRun(kind string) {
	b.T.Helper()
	select {
	case <-b.Pipeline.Pool.Events(kind):
	case <-time.After(Deadline):
		require.Fail(b.T, "a run does not end")
	}
}

func (b *Bed) drain(kind string) int {
	for drained := 0; ; drained++ {
		select {
		case <-b.Pipeline.Pool.Events(kind):
		default:
			return drained
		}
	}
}

// RequireFalse looks for a condition that is False for a reason.
func (b *Bed) RequireFalse(object provisioning.Object, condition, reason string) {
	b.T.Helper()
	found := conditions.Get(object, condition)
	require.NotNil(b.T, found, condition)
	require.Equal(b.T, reason, found.Reason, "%+v", found)
	assert.Equal(b.T, metav1.ConditionFalse, found.Status)
	assert.NotEmpty(b.T, found.Message)
}

// Gone reports that the object does not exist any more.
func (b *Bed) Gone(object client.Object) bool { return b.version(object) == "" }

// Advance lets time pass.
func (b *Bed) Advance(by time.Duration) { b.Clock.SetTime(b.Clock.Now().Add(by)) }

// dump is everything in the namespace that many may read, and the logs and events.
func (b *Bed) dump() string {
	var all bytes.Buffer
	for _, list := range []client.ObjectList{&infrav1.NutanixClusterList{}, &infrav1.NutanixMachineList{}} {
		assert.NoError(b.T, b.Client.List(context.Background(), list, client.InNamespace(b.Namespace)))
		content, err := json.MarshalIndent(list, "", " ")
		assert.NoError(b.T, err)
		all.Write(content)
	}
	fmt.Fprintln(&all, b.Recorder.All(), b.logs.All())
	return all.String()
}

func (b *Bed) searchSecrets() {
	all := b.dump()
	for _, secret := range b.secrets {
		assert.NotContains(b.T, all, secret, "a secret got out")
	}
}

// Recorder keeps the events as "<type> <reason> <note>".
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

// All returns what was recorded.
func (r *recording) All() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}
