package nutanixmachine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sigs.k8s.io/cluster-api/util/annotations"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/gateway"
)

func TestIntentOf(t *testing.T) {
	annotated := func(value string) func(machine *infrav1.NutanixMachine) {
		return func(machine *infrav1.NutanixMachine) { machine.Annotations[infrav1.CreateIntentAnnotation] = value }
	}
	tests := map[string]struct {
		machine func(machine *infrav1.NutanixMachine)
		want    *createIntent
	}{
		"none":                     {unchanged, nil},
		"open":                     {annotated(`{"time":"2026-11-29T12:00:00Z","run":"r"}`), &createIntent{Time: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), Run: "r"}},
		"accepted":                 {annotated(`{"run":"r","vm":"v","task":"t"}`), &createIntent{Run: "r", VM: "v", Task: "t"}},
		"attempt":                  {annotated(`{"run":"r","attempt":2}`), &createIntent{Run: "r", Attempt: 2}},
		"cannot be read":           {annotated(`?`), &createIntent{}},
		"empty":                    {annotated(``), &createIntent{}},
		"v0.1.0, accepted":         {func(m *infrav1.NutanixMachine) { m.Status.VMUUID = "v" }, &createIntent{VM: "v"}},
		"v0.1.0, published":        {func(m *infrav1.NutanixMachine) { m.Status.VMUUID, m.Spec.ProviderID = vm1, "nutanix://"+vm1 }, nil},
		"annotation before status": {func(m *infrav1.NutanixMachine) { m.Status.VMUUID = "v"; annotated(`{"run":"r","vm":"w"}`)(m) }, &createIntent{Run: "r", VM: "w"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			machine := marks.DeepCopy()
			test.machine(machine)
			assert.Equal(t, test.want, intentOf(machine))
		})
	}
}

func TestIntentOfReturnsWhatSetIntentWrote(t *testing.T) {
	machine := &infrav1.NutanixMachine{}
	intent := &createIntent{Time: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), Run: "r", VM: "v", Task: "t"}
	require.NoError(t, setIntent(machine, intent))
	assert.Equal(t, intent, intentOf(machine))
	require.NoError(t, setIntent(machine, nil))
	assert.Empty(t, machine.Annotations)
}

// newRecorder returns the create recorder for a run. The machine of the run exists in the API server.
func newRecorder(e *testEnvironment, run string) *createRecorder {
	return &createRecorder{machine: e.reconciler.recorded(e.NutanixMachine), run: run, now: e.Clock.Now, annotations: map[string]string{"pins": "{}"}}
}

// sending calls Sending and returns its error.
func sending(t *testing.T, recorder gateway.CreateRecorder, create gateway.Create) error {
	t.Helper()
	_, err := recorder.Sending(t.Context(), create)
	return err
}

func (e *testEnvironment) intent() *createIntent {
	e.T.Helper()
	require.False(e.T, e.Gone(e.NutanixMachine))
	return intentOf(e.NutanixMachine)
}

func TestCreateRecorder(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateMachine(e.Environment)
	recorder := newRecorder(e, "run-1")
	controllertest.ChangeStatus(e.Environment, e.NutanixMachine, func(machine *infrav1.NutanixMachine) { machine.Status.FailureDomain = "fd-1" })

	require.NoError(t, sending(t, recorder, gateway.Create{Name: "m"}))
	assert.Equal(t, &createIntent{Time: e.Clock.Now().UTC(), Run: "run-1"}, e.intent())
	assert.Equal(t, "{}", e.NutanixMachine.Annotations["pins"], "the pins are written in the same patch")
	assert.Equal(t, "fd-1", e.NutanixMachine.Status.FailureDomain, "other changes stay")
	require.ErrorContains(t, sending(t, recorder, gateway.Create{}), "has sent a create before")

	require.NoError(t, recorder.Accepted(t.Context(), gateway.Created{UUID: vm1, TaskUUID: "task"}))
	assert.Equal(t, &createIntent{Time: e.Clock.Now().UTC(), Run: "run-1", VM: vm1, Task: "task"}, e.intent())
	require.ErrorContains(t, sending(t, newRecorder(e, "run-2"), gateway.Create{}), "earlier create")
	require.NoError(t, newRecorder(e, "run-2").Refused(t.Context(), gateway.Create{}))
	assert.NotNil(t, e.intent(), "the intent of another run stays")
}

// If Prism Central rejects a create request, the intent is removed and the next create request may be sent.
func TestCreateRecorderRemovesRefusedIntent(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateMachine(e.Environment)
	recorder := newRecorder(e, "run-1")
	for range 2 {
		require.NoError(t, sending(t, recorder, gateway.Create{Name: "m"}))
		require.NoError(t, recorder.Refused(t.Context(), gateway.Create{Name: "m"}))
		assert.Nil(t, e.intent())
	}
}

// If the API server does not respond, the gateway calls Sending again, although the first call may have recorded the
// intent.
func TestCreateRecorderAcceptsRepeatedSending(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateMachine(e.Environment)
	require.NoError(t, sending(t, newRecorder(e, "run-1"), gateway.Create{Name: "m"}))
	require.NoError(t, sending(t, newRecorder(e, "run-1"), gateway.Create{Name: "m"}))
}

// A create through the v4 API has a request ID that only depends on the workspace key and the number of the attempt. The number rises when
// another run sends a create.
func TestCreateRecorderNumbersAttempts(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateMachine(e.Environment)
	mutate(e, func(machine *infrav1.NutanixMachine) {
		annotations.AddAnnotations(machine, map[string]string{infrav1.WorkspaceKeyAnnotation: "0d5c7f5e-0000-4000-8000-000000000001"})
	})
	create := gateway.Create{Name: "m", V4: true}
	send := func(recorder *createRecorder, attempt int) string {
		t.Helper()
		id, err := recorder.Sending(t.Context(), create)
		require.NoError(t, err)
		assert.Equal(t, attempt, e.intent().Attempt)
		assert.Equal(t, attempt, attempts(e.NutanixMachine))
		return id
	}
	first := newRecorder(e, "run-1")
	id := send(first, 1)
	assert.Equal(t, "75fe3df9-1def-5dc7-bf7b-e89568bc295b", id, "the ID must not change between releases")
	assert.Equal(t, id, send(newRecorder(e, "run-1"), 1), "the gateway repeats Sending if the API server does not respond")
	require.NoError(t, first.Refused(t.Context(), create))
	assert.Equal(t, 1, attempts(e.NutanixMachine), "the number stays")
	assert.Equal(t, id, send(first, 1), "the SDK repeats a create that was rejected with status 429")
	_, err := newRecorder(e, "run-2").Sending(t.Context(), create)
	require.ErrorContains(t, err, "earlier create")
	require.NoError(t, first.Accepted(t.Context(), gateway.Created{TaskUUID: "task"}))
	assert.Equal(t, 1, e.intent().Attempt, "the attempt stays in the intent")
	mutate(e, func(machine *infrav1.NutanixMachine) { require.NoError(t, setIntent(machine, nil)) }) // it was resolved: there is no VM
	second := send(newRecorder(e, "run-2"), 2)
	assert.NotEqual(t, id, second)

	mutate(e, func(machine *infrav1.NutanixMachine) {
		require.NoError(t, setIntent(machine, nil))
		machine.Annotations[infrav1.WorkspaceKeyAnnotation] = "0d5c7f5e-0000-4000-8000-000000000002"
	})
	assert.NotEqual(t, second, requestID(e.NutanixMachine, 2), "another object has other IDs")
	require.NoError(t, sending(t, newRecorder(e, "run-3"), gateway.Create{Name: "m"}))
	assert.Equal(t, 2, attempts(e.NutanixMachine), "creates through the v3 API are not counted")
	assert.Zero(t, e.intent().Attempt)
}

func TestCreateRecorderRefusesSecondVM(t *testing.T) {
	tests := map[string]struct {
		change func(e *testEnvironment)
		err    string
	}{
		"a second VM for a machine that has one": {func(e *testEnvironment) { mutate(e, withProviderID("nutanix://"+vm1)) }, vm1},
		"while an earlier create is open":        {func(e *testEnvironment) { mutate(e, withIntent("")) }, "earlier create"},
		"while v0.1.0's create is open": {func(e *testEnvironment) {
			controllertest.ChangeStatus(e.Environment, e.NutanixMachine, func(m *infrav1.NutanixMachine) { m.Status.VMUUID = vm1 })
		}, "earlier create"},
		"for a machine that is being deleted": {func(e *testEnvironment) {
			mutate(e, func(m *infrav1.NutanixMachine) { m.Finalizers = []string{infrav1.NutanixMachineFinalizer} })
			require.NoError(e.T, e.Client.Delete(e.T.Context(), e.NutanixMachine))
		}, "being deleted"},
		"for a machine that is gone": {func(e *testEnvironment) { require.NoError(e.T, e.Client.Delete(e.T.Context(), e.NutanixMachine)) }, "not found"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.CreateMachine(e.Environment)
			recorder := newRecorder(e, "run-1")
			test.change(e)
			require.ErrorContains(t, sending(t, recorder, gateway.Create{Name: "m"}), test.err)
		})
	}
}
