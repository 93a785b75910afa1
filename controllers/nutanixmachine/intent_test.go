package nutanixmachine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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

	require.NoError(t, recorder.Sending(t.Context(), gateway.Create{Name: "m"}))
	assert.Equal(t, &createIntent{Time: e.Clock.Now().UTC(), Run: "run-1"}, e.intent())
	assert.Equal(t, "{}", e.NutanixMachine.Annotations["pins"], "the pins are written in the same patch")
	assert.Equal(t, "fd-1", e.NutanixMachine.Status.FailureDomain, "other changes stay")
	require.ErrorContains(t, recorder.Sending(t.Context(), gateway.Create{}), "has sent a create before")

	require.NoError(t, recorder.Accepted(t.Context(), gateway.Created{UUID: vm1, TaskUUID: "task"}))
	assert.Equal(t, &createIntent{Time: e.Clock.Now().UTC(), Run: "run-1", VM: vm1, Task: "task"}, e.intent())
	require.ErrorContains(t, newRecorder(e, "run-2").Sending(t.Context(), gateway.Create{}), "earlier create")
	require.NoError(t, newRecorder(e, "run-2").Refused(t.Context(), gateway.Create{}))
	assert.NotNil(t, e.intent(), "the intent of another run stays")
}

// If Prism Central rejects a create request, the intent is removed and the next create request may be sent.
func TestCreateRecorderRemovesRefusedIntent(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateMachine(e.Environment)
	recorder := newRecorder(e, "run-1")
	for range 2 {
		require.NoError(t, recorder.Sending(t.Context(), gateway.Create{Name: "m"}))
		require.NoError(t, recorder.Refused(t.Context(), gateway.Create{Name: "m"}))
		assert.Nil(t, e.intent())
	}
}

// If the API server does not respond, the gateway calls Sending again, although the first call may have recorded the
// intent.
func TestCreateRecorderAcceptsRepeatedSending(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateMachine(e.Environment)
	require.NoError(t, newRecorder(e, "run-1").Sending(t.Context(), gateway.Create{Name: "m"}))
	require.NoError(t, newRecorder(e, "run-1").Sending(t.Context(), gateway.Create{Name: "m"}))
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
			err := recorder.Sending(t.Context(), gateway.Create{Name: "m"})
			require.ErrorContains(t, err, test.err)
		})
	}
}
