package nutanixmachine

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/providerid"
)

var (
	vm1, vm2 = controllertest.UUID(6, 1), controllertest.UUID(6, 2)
	marks    = &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "m",
		Annotations: map[string]string{infrav1.WorkspaceKeyAnnotation: "key-1"}}}
)

func newIdentity(t *testing.T, vms ...controllertest.VM) (identity, *controllertest.Prism) {
	t.Helper()
	central := controllertest.NewPrism()
	t.Cleanup(central.Close)
	for _, vm := range vms {
		central.Put(vm)
	}
	host, port := central.HostPort()
	asks, err := prism.New(prism.Upstream{Address: fmt.Sprintf("%s:%d", host, port), CABundle: central.Bundle(),
		Username: controllertest.Username, Password: controllertest.Password}, prism.Options{})
	require.NoError(t, err)
	t.Cleanup(asks.Close)
	return identity{client: asks, machine: marks.DeepCopy(), name: "m", lasting: func(string) bool { return true }}, central
}

func TestIdentify(t *testing.T) {
	ours := func(uuid, state string) controllertest.VM {
		return controllertest.VM{UUID: uuid, Name: "m", Description: mark(marks), State: state}
	}
	strange := controllertest.VM{UUID: vm2, Name: "m", Description: "somebody's"}
	other := &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "m2", Annotations: map[string]string{infrav1.WorkspaceKeyAnnotation: "key-2"}}}
	another := controllertest.VM{UUID: vm1, Name: "m2", Description: mark(other)}
	tests := map[string]struct {
		vms                       []controllertest.VM
		providerID, vmUUID, known string
		deleting                  bool
		id                        string
		lost, conflict, foreign   bool
		err                       string
	}{
		"nothing exists":                                 {},
		"one of another name":                            {vms: []controllertest.VM{{UUID: vm1, Name: "m2", Description: mark(marks)}}},
		"ours by its mark":                               {vms: []controllertest.VM{ours(vm1, "")}, id: vm1},
		"ours beside a stranger":                         {vms: []controllertest.VM{ours(vm1, ""), strange}, id: vm1},
		"a stranger":                                     {vms: []controllertest.VM{strange}, conflict: true, err: "that is not ours exists in Prism Central (" + vm2 + ")"},
		"two of ours":                                    {vms: []controllertest.VM{ours(vm1, ""), ours(vm2, "")}, conflict: true, err: vm1 + ", " + vm2},
		"ours, half-made":                                {vms: []controllertest.VM{ours(vm1, "PENDING")}, id: vm1, err: "waiting for Prism Central"},
		"ours, failed":                                   {vms: []controllertest.VM{ours(vm1, "ERROR")}, id: vm1, conflict: true, err: "in state ERROR"},
		"ours, failed, and going":                        {vms: []controllertest.VM{ours(vm1, "ERROR")}, deleting: true, id: vm1},
		"ours, half-made, and going":                     {vms: []controllertest.VM{ours(vm1, "PENDING")}, deleting: true, id: vm1},
		"journalled":                                     {vms: []controllertest.VM{{UUID: vm1, Name: "m"}}, vmUUID: vm1, id: vm1},
		"journalled, half-made":                          {vms: []controllertest.VM{ours(vm1, "PENDING")}, vmUUID: vm1, id: vm1, err: "waiting for Prism Central"},
		"journalled, failed":                             {vms: []controllertest.VM{ours(vm1, "ERROR")}, vmUUID: vm1, id: vm1, conflict: true, err: "in state ERROR"},
		"journalled, failed, and going":                  {vms: []controllertest.VM{ours(vm1, "ERROR")}, vmUUID: vm1, deleting: true, id: vm1},
		"journalled, and gone":                           {vmUUID: vm1},
		"journalled, gone, and another":                  {vms: []controllertest.VM{ours(vm2, "")}, vmUUID: vm1, id: vm2},
		"taken over":                                     {vms: []controllertest.VM{{UUID: vm1, Name: "another-name"}}, providerID: "nutanix://" + vm1, id: vm1},
		"taken over, marked as ours":                     {vms: []controllertest.VM{ours(vm1, "")}, providerID: "nutanix://" + vm1, id: vm1},
		"taken over from another object":                 {vms: []controllertest.VM{another}, providerID: "nutanix://" + vm1, foreign: true, err: "NutanixMachine ns/m2"},
		"taken over from another object, and going":      {vms: []controllertest.VM{another}, providerID: "nutanix://" + vm1, deleting: true, foreign: true, err: vm1},
		"taken over, and gone":                           {providerID: "nutanix://" + vm1, lost: true, err: vm1},
		"taken over, gone, journalled as another":        {vms: []controllertest.VM{ours(vm2, "")}, providerID: "nutanix://" + vm1, vmUUID: vm2, lost: true, err: vm1},
		"a placeholder is nobody":                        {providerID: "nutanix://my-machine"},
		"known to the state":                             {vms: []controllertest.VM{{UUID: vm1, Name: "renamed"}}, known: vm1},
		"known, and published":                           {vms: []controllertest.VM{ours(vm1, "")}, known: vm1, providerID: "nutanix://" + vm1},
		"known, gone, and published":                     {known: vm1, providerID: "nutanix://" + vm1, lost: true, err: vm1},
		"known, gone, and never published":               {known: vm1},
		"known, gone, never published, and another":      {vms: []controllertest.VM{ours(vm2, "")}, known: vm1, id: vm2},
		"known, gone, never published, and a stranger's": {vms: []controllertest.VM{strange}, known: vm1, conflict: true, err: "not ours"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			i, central := newIdentity(t, test.vms...)
			i.machine.Spec.ProviderID, i.machine.Status.VMUUID = test.providerID, test.vmUUID
			if test.deleting {
				i.machine.DeletionTimestamp = &metav1.Time{}
				*i.machine.DeletionTimestamp = metav1.Now()
			}
			id, err := i.identify(t.Context(), test.known)
			var lost *lifecycle.LostError
			var conflict *lifecycle.ConflictError
			assert.Equal(t, test.lost, errors.As(err, &lost))
			var foreign *lifecycle.ForeignError
			assert.Equal(t, test.conflict, errors.As(err, &conflict))
			assert.Equal(t, test.foreign, errors.As(err, &foreign))
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
			} else {
				require.NoError(t, err)
				assert.Equal(t, test.id, id)
			}
			// Whatever there is: a Prism Central that fails says nothing about a machine.
			for _, status := range []int{http.StatusInternalServerError, http.StatusTooManyRequests, http.StatusNotFound, http.StatusForbidden} {
				central.Fail(status)
				_, err := i.identify(t.Context(), test.known)
				require.Error(t, err)
				assert.False(t, errors.As(err, &lost) || errors.As(err, &conflict), "%d: %v", status, err)
			}
		})
	}
}

// One answer that a machine does not exist is not enough to give it up, but for a deletion.
func TestIdentifyLooksTwice(t *testing.T) {
	for _, known := range []string{"", vm1} {
		i, _ := newIdentity(t)
		i.machine.Spec.ProviderID = "nutanix://" + vm1
		i.lasting = func(uuid string) bool { assert.Equal(t, vm1, uuid); return false }
		_, err := i.identify(t.Context(), known)
		var lost *lifecycle.LostError
		require.ErrorContains(t, err, "is asked again")
		assert.NotErrorAs(t, err, &lost)
		i.machine.DeletionTimestamp = ptr.To(metav1.Now())
		_, err = i.identify(t.Context(), known)
		require.ErrorAs(t, err, &lost)
	}
}

func TestHealthy(t *testing.T) {
	tests := map[string]struct {
		vms     []controllertest.VM
		healthy bool
		err     string
	}{
		"complete and ours": {[]controllertest.VM{{UUID: vm1, Name: "m", Description: mark(marks)}}, true, ""},
		"a stranger":        {[]controllertest.VM{{UUID: vm1, Name: "m"}}, false, ""},
		"failed":            {[]controllertest.VM{{UUID: vm1, Name: "m", Description: mark(marks), State: "ERROR"}}, false, ""},
		"half-made":         {[]controllertest.VM{{UUID: vm1, Name: "m", Description: mark(marks), State: "PENDING"}}, false, "waiting for Prism Central"},
		"gone":              {nil, false, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			i, central := newIdentity(t, test.vms...)
			healthy, err := i.healthy(t.Context(), vm1)
			assert.Equal(t, test.healthy, healthy)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
			} else {
				require.NoError(t, err)
			}
			central.Fail(http.StatusInternalServerError)
			_, err = i.healthy(t.Context(), vm1)
			require.Error(t, err)
		})
	}
}

// What follows the key in a mark is text of users, which must not make a machine of one object that of another.
func FuzzMark(f *testing.F) {
	f.Add("key-1", "ns", "m", "key-2", "ns", "m")
	f.Add("key", "ns", "m", "key-1", "ns", "m")
	f.Add("", "ns", "m", "key-1", "ns", "m")
	f.Add("key-2", "Managed by CAPNT, key key-1, ", "m", "key-1", "", "")
	f.Add("key-2", "ns", "Managed by CAPNT, key key-1, NutanixMachine ns/m", "key-1", "ns", "m")
	f.Fuzz(func(t *testing.T, key, namespace, name, otherKey, otherNamespace, otherName string) {
		machine := func(key, namespace, name string) *infrav1.NutanixMachine {
			return &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name,
				Annotations: map[string]string{infrav1.WorkspaceKeyAnnotation: key}}}
		}
		one, other := machine(key, namespace, name), machine(otherKey, otherNamespace, otherName)
		for _, uid := range []string{key, otherKey} {
			for _, r := range uid {
				if r == ',' { // a key is a UID
					return
				}
			}
		}
		assert.Equal(t, key != "", marked(mark(one), one))
		assert.Equal(t, key != "" && key == otherKey, marked(mark(one), other))
	})
}

func TestMarkedRefusesEverythingElse(t *testing.T) {
	keyless := marks.DeepCopy()
	keyless.Annotations = nil
	for _, description := range []string{"", "Managed by CAPNT", markPrefix, markPrefix + ",", "key-1", "x" + mark(marks),
		"managed by capnt, key key-1, NutanixMachine ns/m", markPrefix + "key-12, NutanixMachine ns/m", markPrefix + "Key-1, x"} {
		assert.False(t, marked(description, marks), description)
		assert.False(t, marked(description, keyless), description)
	}
	assert.True(t, marked(mark(marks), marks))
	assert.False(t, marked(mark(keyless), keyless), "an object without a key owns nothing")
	renamed := marks.DeepCopy()
	renamed.Namespace, renamed.Name = "elsewhere", "other"
	assert.True(t, marked(mark(marks), renamed), "the key alone decides, so that a move keeps the machine")
}

// The recorder writes one field, whatever else has changed meanwhile.
func TestJournal(t *testing.T) {
	w := newWorld(t)
	w.CreateMachine(w.Bed)
	old := w.NutanixMachine.DeepCopy()
	controllertest.ChangeStatus(w.Bed, w.NutanixMachine, func(machine *infrav1.NutanixMachine) { machine.Status.FailureDomain = "fd-1" })
	require.NoError(t, vmRecorder{client: w.reconciler.Client, machine: old}.Accepted(t.Context(), gateway.Created{UUID: vm1, Name: "m"}))
	require.False(t, w.Gone(w.NutanixMachine))
	assert.Equal(t, vm1, w.NutanixMachine.Status.VMUUID)
	assert.Equal(t, "fd-1", w.NutanixMachine.Status.FailureDomain)
	assert.Empty(t, old.Status.VMUUID)

	require.NoError(t, client.IgnoreNotFound(api.Delete(t.Context(), w.NutanixMachine)))
	require.ErrorContains(t, vmRecorder{client: w.reconciler.Client, machine: old}.Accepted(t.Context(), gateway.Created{UUID: vm2}), vm2)
}

// A machine whose creation failed in Prism Central has no virtual machine, whatever was journalled: it can be corrected, and
// it waits for what it needs.
func TestJournalOfAFailedCreationIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.NutanixMachine.Spec.GPUs = []infrav1.NutanixGPU{{Type: infrav1.NutanixGPUIdentifierName, Name: ptr.To("T4")}}
	w.CreateMachine(w.Bed)
	controllertest.ChangeStatus(w.Bed, w.NutanixMachine, func(machine *infrav1.NutanixMachine) { machine.Status.VMUUID = vm2 })
	w.Prism.Fail(http.StatusNotFound)
	w.settle()
	assert.Equal(t, vm2, w.NutanixMachine.Status.VMUUID, "a bare 404 says nothing about it")
	w.Prism.Fail(0)
	w.Prism.TakeGPU(true)
	w.settle()
	assert.Empty(t, w.NutanixMachine.Status.VMUUID)
	w.requireFalse(infrav1.InputsResolvedCondition, infrav1.GPUUnavailableReason)
	assert.Empty(t, w.Terraform.Runs())

	old := w.NutanixMachine.DeepCopy()
	mutate(w, func(machine *infrav1.NutanixMachine) {
		machine.Spec.MemorySize, machine.Spec.GPUs = resource.MustParse("2Gi"), nil
	})
	assert.Empty(t, w.NutanixMachine.ValidateUpdate(old, providerid.Parse))
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
}

// While Prism Central has the journalled machine, it is the one of this object.
func TestJournalOfAMachineThatIsThereIsKept(t *testing.T) {
	w := newWorld(t)
	w.CreateMachine(w.Bed)
	controllertest.ChangeStatus(w.Bed, w.NutanixMachine, func(machine *infrav1.NutanixMachine) { machine.Status.VMUUID = vm2 })
	w.Prism.Put(controllertest.VM{UUID: vm2, Name: "m", State: "PENDING"})
	w.settle()
	assert.Equal(t, vm2, w.NutanixMachine.Status.VMUUID)
	assert.NotContains(t, w.Terraform.Runs(), "apply")
}
