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

func TestSetIntentIsReadBack(t *testing.T) {
	machine := &infrav1.NutanixMachine{}
	intent := &createIntent{Time: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), Run: "r", VM: "v", Task: "t"}
	require.NoError(t, setIntent(machine, intent))
	assert.Equal(t, intent, intentOf(machine))
	require.NoError(t, setIntent(machine, nil))
	assert.Empty(t, machine.Annotations)
}

// newRecorder returns the recorder of a run of a stored machine.
func newRecorder(w *world, run string) *createRecorder {
	return &createRecorder{machine: w.reconciler.recorded(w.NutanixMachine), run: run, now: w.Clock.Now, annotations: map[string]string{"pins": "{}"}}
}

func (w *world) intent() *createIntent {
	w.T.Helper()
	require.False(w.T, w.Gone(w.NutanixMachine))
	return intentOf(w.NutanixMachine)
}

func TestRecorder(t *testing.T) {
	w := newWorld(t)
	w.CreateMachine(w.Bed)
	recorder := newRecorder(w, "run-1")
	controllertest.ChangeStatus(w.Bed, w.NutanixMachine, func(machine *infrav1.NutanixMachine) { machine.Status.FailureDomain = "fd-1" })

	require.NoError(t, recorder.Sending(t.Context(), gateway.Create{Name: "m"}))
	assert.Equal(t, &createIntent{Time: w.Clock.Now().UTC(), Run: "run-1"}, w.intent())
	assert.Equal(t, "{}", w.NutanixMachine.Annotations["pins"], "what the VM is created from is written in the same patch")
	assert.Equal(t, "fd-1", w.NutanixMachine.Status.FailureDomain, "what changed meanwhile stays")
	require.ErrorContains(t, recorder.Sending(t.Context(), gateway.Create{}), "has sent a create before")

	require.NoError(t, recorder.Accepted(t.Context(), gateway.Created{UUID: vm1, TaskUUID: "task"}))
	assert.Equal(t, &createIntent{Time: w.Clock.Now().UTC(), Run: "run-1", VM: vm1, Task: "task"}, w.intent())
	require.ErrorContains(t, newRecorder(w, "run-2").Sending(t.Context(), gateway.Create{}), "earlier create")
	require.NoError(t, newRecorder(w, "run-2").Refused(t.Context(), gateway.Create{}))
	assert.NotNil(t, w.intent(), "what another run sent is not settled by this one")
}

// A create that was refused leaves nothing, and the next one may be sent.
func TestRecorderRefused(t *testing.T) {
	w := newWorld(t)
	w.CreateMachine(w.Bed)
	recorder := newRecorder(w, "run-1")
	for range 2 {
		require.NoError(t, recorder.Sending(t.Context(), gateway.Create{Name: "m"}))
		require.NoError(t, recorder.Refused(t.Context(), gateway.Create{Name: "m"}))
		assert.Nil(t, w.intent())
	}
}

// When the API server does not respond, the gateway repeats Sending, which may have been recorded.
func TestRecorderSendingIsRepeated(t *testing.T) {
	w := newWorld(t)
	w.CreateMachine(w.Bed)
	require.NoError(t, newRecorder(w, "run-1").Sending(t.Context(), gateway.Create{Name: "m"}))
	require.NoError(t, newRecorder(w, "run-1").Sending(t.Context(), gateway.Create{Name: "m"}))
}

func TestRecorderRefusesToSend(t *testing.T) {
	tests := map[string]struct {
		change func(w *world)
		err    string
	}{
		"a second VM for a machine that has one": {func(w *world) { mutate(w, withProviderID("nutanix://"+vm1)) }, vm1},
		"while an earlier create is open":        {func(w *world) { mutate(w, withIntent("")) }, "earlier create"},
		"while v0.1.0's create is open": {func(w *world) {
			controllertest.ChangeStatus(w.Bed, w.NutanixMachine, func(m *infrav1.NutanixMachine) { m.Status.VMUUID = vm1 })
		}, "earlier create"},
		"for a machine that is being deleted": {func(w *world) {
			mutate(w, func(m *infrav1.NutanixMachine) { m.Finalizers = []string{infrav1.NutanixMachineFinalizer} })
			require.NoError(w.T, w.Client.Delete(w.T.Context(), w.NutanixMachine))
		}, "being deleted"},
		"for a machine that is gone": {func(w *world) { require.NoError(w.T, w.Client.Delete(w.T.Context(), w.NutanixMachine)) }, "not found"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.CreateMachine(w.Bed)
			recorder := newRecorder(w, "run-1")
			test.change(w)
			err := recorder.Sending(t.Context(), gateway.Create{Name: "m"})
			require.ErrorContains(t, err, test.err)
		})
	}
}
