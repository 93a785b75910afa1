package nutanixmachine

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
)

var (
	vm1, vm2 = controllertest.UUID(6, 1), controllertest.UUID(6, 2)
	marks    = &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "m", UID: "uid",
		Finalizers: []string{infrav1.NutanixMachineFinalizer}, Annotations: map[string]string{infrav1.WorkspaceKeyAnnotation: "key-1"}}}
	stranger  = controllertest.VM{UUID: vm2, Name: "m", Description: "somebody's"}
	ofAnother = controllertest.VM{UUID: vm1, Name: "m", Description: "Managed by CAPNT, key key-2, NutanixMachine ns/m2"}
	bystander = controllertest.VM{UUID: controllertest.UUID(6, 99), Name: "bystander"}
)

func ours(uuid, state string) controllertest.VM {
	return controllertest.VM{UUID: uuid, Name: "m", Description: mark(marks), State: state}
}

func newCentral(t *testing.T, vms ...controllertest.VM) (*prism.Client, *controllertest.Prism) {
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
	return asks, central
}

// newIdentity stores a machine, changed by change, in a fake client. It returns the identity of the machine and a Prism
// Central that contains vms.
func newIdentity(t *testing.T, change func(machine *infrav1.NutanixMachine), vms ...controllertest.VM) (identity, *controllertest.Prism) {
	t.Helper()
	asks, central := newCentral(t, vms...)
	machine := marks.DeepCopy()
	change(machine)
	stored := fake.NewClientBuilder().WithScheme(api.Scheme()).WithObjects(machine).WithStatusSubresource(machine).Build()
	reconciler := &Reconciler{Dependencies: provisioning.Dependencies{Client: stored, Reader: stored, AbsencePeriod: time.Minute,
		Recorder: events.NewFakeRecorder(10), Pipeline: &lifecycle.Pipeline{Clock: clocktesting.NewFakePassiveClock(time.Now())}}}
	return identity{reconciler: reconciler, central: asks, machine: reconciler.recorded(machine), key: "key", name: "m",
		deleting: !machine.DeletionTimestamp.IsZero()}, central
}

// advance moves the clock forward.
func (i identity) advance(by time.Duration) {
	clock := i.reconciler.Pipeline.Clock.(*clocktesting.FakePassiveClock)
	clock.SetTime(clock.Now().Add(by))
}

func withIntent(vm string) func(machine *infrav1.NutanixMachine) {
	return func(machine *infrav1.NutanixMachine) {
		_ = setIntent(machine, &createIntent{Run: "run", VM: vm})
	}
}

func withProviderID(id string) func(machine *infrav1.NutanixMachine) {
	return func(machine *infrav1.NutanixMachine) { machine.Spec.ProviderID = id }
}

func unchanged(*infrav1.NutanixMachine) {}

func TestIdentify(t *testing.T) {
	publishedAndFailedOver := func(machine *infrav1.NutanixMachine) {
		machine.Spec.ProviderID, machine.Status.VMUUID = "nutanix://"+vm1, vm2
	}
	renamed := controllertest.VM{UUID: vm1, Name: "renamed", Description: "edited"}
	tests := map[string]struct {
		machine func(machine *infrav1.NutanixMachine)
		vms     []controllertest.VM
		known   string
		want    string
		err     string
		text    string
	}{
		"no VM":                                     {machine: unchanged},
		"ours under another name":                   {machine: unchanged, vms: []controllertest.VM{{UUID: vm1, Name: "m2", Description: mark(marks)}}, want: vm1},
		"ours by its mark":                          {machine: unchanged, vms: []controllertest.VM{ours(vm1, "")}, want: vm1},
		"ours and another VM of the name":           {machine: unchanged, vms: []controllertest.VM{ours(vm1, ""), stranger}, want: vm1},
		"another VM of the name":                    {machine: unchanged, vms: []controllertest.VM{stranger}, err: "Conflict", text: "that is not ours exists in Prism Central (" + vm2 + ")"},
		"a VM of the name of another object":        {machine: unchanged, vms: []controllertest.VM{ofAnother}, err: "Conflict", text: vm1},
		"two of ours":                               {machine: unchanged, vms: []controllertest.VM{ours(vm1, ""), ours(vm2, "")}, err: "Conflict", text: vm1 + ", " + vm2},
		"ours, being created":                       {machine: unchanged, vms: []controllertest.VM{ours(vm1, "PENDING")}, text: "waiting for Prism Central"},
		"ours, creation failed":                     {machine: unchanged, vms: []controllertest.VM{ours(vm1, "ERROR")}, err: "Conflict", text: "in state ERROR"},
		"open intent":                               {machine: withIntent(""), err: "Wait", text: "earlier create"},
		"open intent, and ours":                     {machine: withIntent(""), vms: []controllertest.VM{ours(vm1, "")}, err: "Wait"},
		"intent of a VM":                            {machine: withIntent(vm1), vms: []controllertest.VM{{UUID: vm1, Name: "m"}}, want: vm1},
		"intent of a VM that is being created":      {machine: withIntent(vm1), vms: []controllertest.VM{ours(vm1, "PENDING")}, text: "waiting for Prism Central"},
		"intent of a VM whose creation failed":      {machine: withIntent(vm1), vms: []controllertest.VM{ours(vm1, "ERROR")}, err: "Conflict", text: "in state ERROR"},
		"intent of a VM that is not found":          {machine: withIntent(vm1), err: "Wait", text: vm1},
		"v0.1.0: VM in the status":                  {machine: func(m *infrav1.NutanixMachine) { m.Status.VMUUID = vm1 }, vms: []controllertest.VM{ours(vm1, "")}, want: vm1},
		"v0.1.0: VM in the status, not found":       {machine: func(m *infrav1.NutanixMachine) { m.Status.VMUUID = vm1 }, err: "Wait"},
		"taken over":                                {machine: withProviderID("nutanix://" + vm1), vms: []controllertest.VM{renamed}, want: vm1},
		"taken over, of another object":             {machine: withProviderID("nutanix://" + vm1), vms: []controllertest.VM{ofAnother}, err: "Foreign", text: "NutanixMachine ns/m2"},
		"taken over, not found":                     {machine: withProviderID("nutanix://" + vm1), err: "Wait", text: vm1},
		"placeholder as providerID":                 {machine: withProviderID("nutanix://my-machine")},
		"known and published":                       {machine: withProviderID("nutanix://" + vm1), vms: []controllertest.VM{ours(vm1, "")}, known: vm1},
		"known and published, not found":            {machine: withProviderID("nutanix://" + vm1), known: vm1, err: "Wait"},
		"known and published, of another object":    {machine: withProviderID("nutanix://" + vm1), vms: []controllertest.VM{ofAnother}, known: vm1, err: "Foreign"},
		"known only to the state":                   {machine: unchanged, vms: []controllertest.VM{renamed}, known: vm1},
		"known only to the state, of another":       {machine: unchanged, vms: []controllertest.VM{ofAnother}, known: vm1, err: "Foreign"},
		"known only to the state, not found":        {machine: unchanged, known: vm1, err: "Wait", text: vm1},
		"known, not found, and another of ours":     {machine: unchanged, vms: []controllertest.VM{ours(vm2, "")}, known: vm1, want: vm2},
		"failed over, the state has the old one":    {machine: publishedAndFailedOver, vms: []controllertest.VM{ours(vm2, "")}, known: vm1, want: vm2},
		"failed over, the state has the new one":    {machine: publishedAndFailedOver, vms: []controllertest.VM{ours(vm2, "")}, known: vm2},
		"failed over, and the old one is there too": {machine: publishedAndFailedOver, vms: []controllertest.VM{ours(vm1, ""), ours(vm2, "")}, known: vm1, err: "Conflict", text: vm1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			i, central := newIdentity(t, test.machine, test.vms...)
			got, err := i.identify(t.Context(), test.known)
			assert.Equal(t, test.err, kindOf(err))
			if test.err != "" || test.text != "" {
				require.ErrorContains(t, err, test.text)
			} else {
				require.NoError(t, err)
				assert.Equal(t, test.want, got)
			}
			requireFaultsDecideNothing(t, i, central, test.known)
		})
	}
}

// requireFaultsDecideNothing requires that identify returns an error while Prism Central fails, instead of selecting a
// VM.
func requireFaultsDecideNothing(t *testing.T, i identity, central *controllertest.Prism, known string) {
	t.Helper()
	if machine, err := i.machine.read(t.Context()); err != nil || !i.deleting && vmUUIDOf(machine) == "" && intentOf(machine) != nil {
		return // Prism Central receives no request
	}
	for _, status := range []int{http.StatusInternalServerError, http.StatusTooManyRequests, http.StatusNotFound, http.StatusForbidden} {
		central.Fail(status)
		_, err := i.identify(t.Context(), known)
		require.Error(t, err)
		assert.Empty(t, kindOf(err), "%d: %v", status, err)
	}
}

// kindOf classifies an error of identify.
func kindOf(err error) string {
	var absent *lifecycle.AbsentError
	var conflict *lifecycle.ConflictError
	var foreign *lifecycle.ForeignError
	var wait *lifecycle.WaitError
	switch {
	case errors.As(err, &absent):
		return "Absent"
	case errors.As(err, &conflict):
		return "Conflict"
	case errors.As(err, &foreign):
		return "Foreign"
	case errors.As(err, &wait):
		return "Wait"
	}
	return ""
}

// If only the state references a VM and Prism Central does not find the VM, it is created again after its absence is
// confirmed.
func TestIdentifyCreatesAgainAfterConfirmedAbsence(t *testing.T) {
	i, _ := newIdentity(t, unchanged, bystander)
	var wait *lifecycle.WaitError
	for range minSearches {
		_, err := i.identify(t.Context(), vm1)
		require.ErrorAs(t, err, &wait)
		i.reconciler.absences.record(i.key, found{}, nil, i.reconciler.Pipeline.Clock.Now(), time.Minute)
		i.advance(30 * time.Second)
	}
	_, err := i.identify(t.Context(), vm1)
	var absent *lifecycle.AbsentError
	require.ErrorAs(t, err, &absent, "the run removes the VM from the state, because the provider cannot plan without it with the v4 API")
}

// identify reads the machine from the API server and not from the cache.
func TestIdentifyReadsPastTheCache(t *testing.T) {
	i, _ := newIdentity(t, withIntent(""), ours(vm1, ""))
	i.machine.client = nil
	_, err := i.identify(t.Context(), "")
	var wait *lifecycle.WaitError
	require.ErrorAs(t, err, &wait)

	stored := &infrav1.NutanixMachine{}
	require.NoError(t, i.reconciler.Client.Get(t.Context(), i.machine.key, stored))
	stored.Finalizers = nil
	require.NoError(t, i.reconciler.Client.Update(t.Context(), stored))
	require.NoError(t, i.reconciler.Client.Delete(t.Context(), stored))
	_, err = i.identify(t.Context(), "")
	require.ErrorContains(t, err, "past the cache")
	stored = marks.DeepCopy()
	stored.UID = "another"
	require.NoError(t, i.reconciler.Client.Create(t.Context(), stored))
	_, err = i.identify(t.Context(), "")
	require.ErrorContains(t, err, "another one has its name")
}

func TestHealthy(t *testing.T) {
	tests := map[string]struct {
		vms     []controllertest.VM
		healthy bool
		err     string
	}{
		"complete and ours": {[]controllertest.VM{ours(vm1, "")}, true, ""},
		"not ours":          {[]controllertest.VM{{UUID: vm1, Name: "m"}}, false, ""},
		"creation failed":   {[]controllertest.VM{ours(vm1, "ERROR")}, false, ""},
		"being created":     {[]controllertest.VM{ours(vm1, "PENDING")}, false, "waiting for Prism Central"},
		"not found":         {nil, false, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			i, central := newIdentity(t, unchanged, test.vms...)
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

func deleting(change func(machine *infrav1.NutanixMachine)) func(machine *infrav1.NutanixMachine) {
	return func(machine *infrav1.NutanixMachine) {
		change(machine)
		now := metav1.Now()
		machine.DeletionTimestamp = &now
	}
}

func TestIdentifyForDestroy(t *testing.T) {
	published := withProviderID("nutanix://" + vm1)
	tests := map[string]struct {
		machine func(machine *infrav1.NutanixMachine)
		vms     []controllertest.VM
		deleted string
		known   string
		want    string
		err     string
		text    string
	}{
		"nothing was ever created":           {machine: unchanged},
		"another VM of the name":             {machine: unchanged, vms: []controllertest.VM{stranger}},
		"a VM of the name of another object": {machine: unchanged, vms: []controllertest.VM{ofAnother}},
		"ours by its mark":                   {machine: unchanged, vms: []controllertest.VM{ours(vm1, "PENDING")}, want: vm1},
		"ours in state ERROR":                {machine: unchanged, vms: []controllertest.VM{ours(vm1, "ERROR")}, want: vm1},
		"two of ours":                        {machine: unchanged, vms: []controllertest.VM{ours(vm1, ""), ours(vm2, "")}, want: vm1},
		"two of ours, one deleted":           {machine: published, vms: []controllertest.VM{ours(vm2, "")}, deleted: vm1, want: vm2},
		"known":                              {machine: published, vms: []controllertest.VM{ours(vm1, "")}, known: vm1},
		"known, without a mark":              {machine: published, vms: []controllertest.VM{{UUID: vm1, Name: "x"}}, known: vm1},
		"known, and another of ours":         {machine: published, vms: []controllertest.VM{ours(vm1, ""), ours(vm2, "")}, known: vm1},
		"known, of another object":           {machine: published, vms: []controllertest.VM{ofAnother}, known: vm1, err: "Foreign", text: "ns/m2"},
		"taken over, of another object":      {machine: published, vms: []controllertest.VM{ofAnother}},
		"taken over":                         {machine: published, vms: []controllertest.VM{{UUID: vm1, Name: "x"}}, want: vm1},
		"failed over":                        {machine: published, vms: []controllertest.VM{ours(vm2, "")}, known: vm1, want: vm2},
		"known, not found":                   {machine: published, known: vm1, err: "Wait", text: vm1},
		"known only to the state, not found": {machine: unchanged, known: vm1, err: "Wait", text: vm1},
		"published, not found":               {machine: published, err: "Wait", text: vm1},
		"published, deleted":                 {machine: published, deleted: vm1},
		"known, deleted":                     {machine: published, deleted: vm1, known: vm1, err: "Absent"},
		"open intent":                        {machine: withIntent(""), err: "Wait", text: "what an earlier create made"},
		"open intent, and ours":              {machine: withIntent(""), vms: []controllertest.VM{ours(vm1, "")}, want: vm1},
		"intent of a VM":                     {machine: withIntent(vm1), vms: []controllertest.VM{ours(vm1, "")}, want: vm1},
		"intent of a VM that is not found":   {machine: withIntent(vm1), err: "Wait", text: vm1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			i, central := newIdentity(t, deleting(test.machine), append(test.vms, bystander)...)
			if test.deleted != "" {
				i.deleted(test.deleted)
			}
			got, err := i.identify(t.Context(), test.known)
			assert.Equal(t, test.err, kindOf(err))
			if test.err != "" {
				require.ErrorContains(t, err, test.text)
			} else {
				require.NoError(t, err)
				assert.Equal(t, test.want, got)
			}
			requireFaultsDecideNothing(t, i, central, test.known)
		})
	}
}

// If Prism Central does not find a VM, a deletion waits until the absence of the VM is confirmed, but at most ten
// absence periods.
func TestIdentifyForDestroyWaitsForAbsence(t *testing.T) {
	tests := map[string]struct {
		vms  []controllertest.VM
		hide string
		want time.Duration
	}{
		"another VM is shown":       {[]controllertest.VM{bystander}, "", time.Minute},
		"no VM is shown":            {nil, "", 10 * time.Minute},
		"no Prism Element is shown": {[]controllertest.VM{bystander}, "clusters", 10 * time.Minute},
		"all VMs are hidden":        {[]controllertest.VM{bystander, ours(vm1, "")}, "vms", 10 * time.Minute},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			i, central := newIdentity(t, deleting(withProviderID("nutanix://"+vm1)), test.vms...)
			if test.hide != "" {
				central.Hide(test.hide, true)
			}
			var waited time.Duration
			var absent *lifecycle.AbsentError
			for {
				_, err := i.identify(t.Context(), vm1)
				if errors.As(err, &absent) {
					break
				}
				var wait *lifecycle.WaitError
				require.ErrorAs(t, err, &wait)
				require.Less(t, waited, time.Hour, "every deletion ends")
				i.advance(20 * time.Second)
				waited += 20 * time.Second
			}
			assert.Equal(t, test.want, waited)
		})
	}
}

// If the response to a create request was lost, the deletion destroys the VM and does not wait for it afterwards.
func TestIdentifyForDestroyRecordsTheCreatedVM(t *testing.T) {
	i, central := newIdentity(t, deleting(withIntent("")), ours(vm1, ""), bystander)
	id, err := i.identify(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, vm1, id)
	assert.True(t, i.remaining(), "an apply without an accepted deletion destroyed nothing")
	i.deleted(vm1)
	assert.False(t, i.remaining())
	central.Remove(vm1)
	id, err = i.identify(t.Context(), "")
	require.NoError(t, err)
	assert.Empty(t, id)
}

// After a restart, the deletion does not wait for a VM whose deletion Prism Central had accepted, although the account sees no other VM.
func TestAcceptedDeletionsAreRecorded(t *testing.T) {
	i, _ := newIdentity(t, deleting(withProviderID("nutanix://"+vm1)))
	_, err := i.identify(t.Context(), vm1)
	require.Equal(t, "Wait", kindOf(err))
	i.deleted(vm2)
	i.deleted(strings.ToUpper(vm1))
	i.deleted(vm1)
	i.reconciler.absences = absences{}
	machine, err := i.machine.read(t.Context())
	require.NoError(t, err)
	assert.Equal(t, vm2+","+vm1, machine.Annotations[infrav1.DeletedVMsAnnotation])
	_, err = i.identify(t.Context(), vm1)
	require.Equal(t, "Absent", kindOf(err))
}

// A stale list may still contain a VM that was deleted.
func TestIdentifyForDestroyReadsListedVMs(t *testing.T) {
	i, central := newIdentity(t, deleting(unchanged), bystander)
	central.Linger(ours(vm1, ""))
	id, err := i.identify(t.Context(), "")
	require.NoError(t, err)
	assert.Empty(t, id)
	assert.False(t, i.remaining())
}

func TestRemainingUntilAllVMsAreDeleted(t *testing.T) {
	i, central := newIdentity(t, deleting(withProviderID("nutanix://"+vm1)), ours(vm1, ""), ours(vm2, ""))
	for _, uuid := range []string{vm1, vm2} {
		id, err := i.identify(t.Context(), "")
		require.NoError(t, err)
		require.Equal(t, uuid, id)
		i.deleted(uuid)
		central.Remove(uuid)
		assert.Equal(t, uuid == vm1, i.remaining())
	}
}
