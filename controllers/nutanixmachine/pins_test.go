package nutanixmachine

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

var pe1, pe2 = controllertest.UUID(1, 1), controllertest.UUID(1, 2)

// richMachine sets an input of every pinned kind in the machine. The machine runs in a failure domain of the cluster.
func richMachine(e *testEnvironment) {
	e.T.Helper()
	controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) {
		cluster.Spec.FailureDomains = []infrav1.NutanixFailureDomainConfig{
			{Name: "fd", Cluster: named("pe-1"), Subnets: []infrav1.NutanixResourceIdentifier{named("net-1")}}}
	})
	e.Machine.Spec.FailureDomain = "fd"
	spec := &e.NutanixMachine.Spec
	spec.BootType = infrav1.NutanixBootTypeUEFI
	spec.Project = ptr.To(named("team"))
	spec.GPUs = []infrav1.NutanixGPU{{Type: infrav1.NutanixGPUIdentifierName, Name: ptr.To("T4")}}
	spec.DataDisks = []infrav1.NutanixMachineVMDisk{{
		DiskSize: resource.MustParse("10Gi"), DataSource: ptr.To(named("seed")),
		StorageConfig: &infrav1.NutanixMachineVMStorageConfig{StorageContainer: ptr.To(named("fast"))},
	}}
}

// pinsOf returns the pinned inputs in the annotation of a machine.
func pinsOf(t *testing.T, machine *infrav1.NutanixMachine) pinnedInputs {
	t.Helper()
	pins := pinnedInputs{}
	require.NoError(t, json.Unmarshal([]byte(machine.Annotations[infrav1.PinnedInputsAnnotation]), &pins))
	return pins
}

func TestInputsArePinned(t *testing.T) {
	e := newTestEnvironment(t)
	richMachine(e)
	e.running()
	assert.Equal(t, pinnedInputs{
		PrismElement: renderer.Ref{UUID: pe1, Name: "pe-1"},
		Subnets:      []renderer.Ref{{UUID: controllertest.UUID(2, 1), Name: "net-1"}},
		Project:      &renderer.Ref{UUID: controllertest.UUID(4, 1), Name: "team"},
		Disks: []renderer.Disk{
			{DeviceType: "DISK", AdapterType: "SCSI", SizeMiB: 40960, Image: &renderer.Ref{UUID: controllertest.UUID(3, 1), Name: "ubuntu-1.36.3"}},
			{DeviceType: "DISK", AdapterType: "SCSI", Index: 1, SizeMiB: 10240, Image: &renderer.Ref{UUID: controllertest.UUID(3, 4), Name: "seed"},
				StorageContainer: &renderer.Ref{UUID: controllertest.UUID(8, 1), Name: "fast"}},
		},
		GPUs:          []renderer.GPU{{Vendor: "NVIDIA", Mode: "PASSTHROUGH_COMPUTE", DeviceID: 7864, Name: "T4"}},
		BootType:      renderer.BootUEFI,
		CloudInit:     true,
		FailureDomain: "fd",
	}, pinsOf(t, e.NutanixMachine))
	assert.Equal(t, "fd", e.NutanixMachine.Status.FailureDomain)
}

// Once the VM exists, the entities that were used to create it may be deleted, renamed or duplicated. The machine stays
// Ready, its workspace does not change by a single byte, and these entities are not looked up.
func TestLivingMachineKeepsItsPinnedInputs(t *testing.T) {
	domains := func(e *testEnvironment, change func(*infrav1.NutanixClusterSpec)) {
		controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) { change(&cluster.Spec) })
	}
	for name, change := range map[string]func(e *testEnvironment){
		"image removed":             func(e *testEnvironment) { e.Prism.SetPresent("ubuntu-1.36.3", false) },
		"image of a disk removed":   func(e *testEnvironment) { e.Prism.SetPresent("seed", false) },
		"subnet removed":            func(e *testEnvironment) { e.Prism.SetPresent("net-1", false) },
		"project removed":           func(e *testEnvironment) { e.Prism.SetPresent("team", false) },
		"storage container removed": func(e *testEnvironment) { e.Prism.SetPresent("fast", false) },
		"Prism Element renamed":     func(e *testEnvironment) { e.Prism.SetPresent("pe-1", false) },
		"GPU removed":               func(e *testEnvironment) { e.Prism.SetPresent("host-1", false) },
		"GPU in use":                func(e *testEnvironment) { e.Prism.TakeGPU(true) },
		"failure domain moved": func(e *testEnvironment) {
			domains(e, func(spec *infrav1.NutanixClusterSpec) {
				spec.FailureDomains[0].Cluster, spec.FailureDomains[0].Subnets = named("pe-2"), []infrav1.NutanixResourceIdentifier{named("net-2")}
			})
		},
		"failure domain that cannot be resolved": func(e *testEnvironment) {
			domains(e, func(spec *infrav1.NutanixClusterSpec) { spec.FailureDomains[0].Cluster = named("pe-9") })
		},
		"failure domain removed": func(e *testEnvironment) {
			domains(e, func(spec *infrav1.NutanixClusterSpec) { spec.FailureDomains = nil })
		},
		"Machine in another failure domain": func(e *testEnvironment) {
			controllertest.Change(e.Environment, e.Machine, func(machine *clusterv1.Machine) { machine.Spec.FailureDomain = "fd-9" })
		},
		"spec edited": func(e *testEnvironment) {
			mutate(e, func(machine *infrav1.NutanixMachine) {
				machine.Spec.Image, machine.Spec.Project = ptr.To(named("twin")), nil
				machine.Spec.BootType, machine.Spec.GPUs, machine.Spec.DataDisks = infrav1.NutanixBootTypeLegacy, nil, nil
				machine.Spec.SystemDiskSize = resource.MustParse("80Gi")
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			richMachine(e)
			e.running()
			e.Advance(e.DriftInterval)
			e.settle()
			machine := e.NutanixMachine.DeepCopy()
			_, files := e.Terraform.Variables()
			e.Terraform.Runs()
			e.Prism.Requests()
			change(e)
			for _, pass := range []func(){
				func() {},
				func() { e.Advance(24 * time.Hour) },
				func() { e.reconciler.Pipeline.Init(); e.Advance(24 * time.Hour) },
			} {
				pass()
				e.settle()
				assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
			}
			assert.Equal(t, []string{"open", "plan", "open", "plan"}, e.Terraform.Runs(), "two checks without changes")
			_, planned := e.Terraform.Variables()
			assert.Equal(t, string(files["main.tf"]), string(planned["main.tf"]))
			assert.Equal(t, machine.Status.Terraform.WorkspaceDigest, e.NutanixMachine.Status.Terraform.WorkspaceDigest)
			assert.Equal(t, machine.Annotations, e.NutanixMachine.Annotations)
			assert.Equal(t, "fd", e.NutanixMachine.Status.FailureDomain)
			for _, request := range e.Prism.Requests() {
				assert.True(t, strings.HasPrefix(request, "GET vms/") || strings.HasPrefix(request, "GET categories/") || request == "POST vms/list", request)
			}
		})
	}
}

func TestDeletedNutanixFailureDomainChangesNothing(t *testing.T) {
	e := newTestEnvironment(t)
	domain := &infrav1.NutanixFailureDomain{ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: "fd"}, Spec: infrav1.NutanixFailureDomainSpec{
		PrismElementCluster: named("pe-2"), Subnets: []infrav1.NutanixResourceIdentifier{named("net-2")}}}
	e.Create(domain)
	e.Machine.Spec.FailureDomain = "fd"
	e.running()
	require.NoError(t, api.Delete(t.Context(), domain))
	e.Advance(e.DriftInterval)
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
	assert.Equal(t, []string{"open", "plan"}, e.Terraform.Runs())
	assert.Equal(t, pe2, pinsOf(t, e.NutanixMachine).PrismElement.UUID)
}

// A machine of CAPNT 0.1 has no pinned inputs. They are added at the next check of the machine. The Prism Element is
// read from the VM. The other inputs are resolved from the spec as far as possible.
func TestMachineWithoutPinsIsPinned(t *testing.T) {
	for name, test := range map[string]struct {
		annotation string
		change     func(e *testEnvironment)
		want       func(*pinnedInputs)
	}{
		"that has everything":           {want: func(*pinnedInputs) {}},
		"with an unreadable annotation": {annotation: "{", want: func(*pinnedInputs) {}},
		"whose failure domain was moved": {change: func(e *testEnvironment) {
			controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) { cluster.Spec.FailureDomains[0].Cluster = named("pe-2") })
		}, want: func(*pinnedInputs) {}},
		"whose failure domain was removed": {change: func(e *testEnvironment) {
			controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) { cluster.Spec.FailureDomains = nil })
		}, want: func(pins *pinnedInputs) { pins.Subnets[0].UUID = unknownUUID }},
		"whose image and project were removed": {change: func(e *testEnvironment) {
			e.Prism.SetPresent("ubuntu-1.36.3", false)
			e.Prism.SetPresent("team", false)
		}, want: func(pins *pinnedInputs) { pins.Disks[0].Image.UUID, pins.Project.UUID = unknownUUID, unknownUUID }},
		"whose GPU was removed": {change: func(e *testEnvironment) { e.Prism.SetPresent("host-1", false) }, want: func(pins *pinnedInputs) { pins.GPUs = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			richMachine(e)
			e.running()
			want := pinsOf(t, e.NutanixMachine)
			test.want(&want)
			mutate(e, func(machine *infrav1.NutanixMachine) {
				delete(machine.Annotations, infrav1.PinnedInputsAnnotation)
				if test.annotation != "" {
					machine.Annotations[infrav1.PinnedInputsAnnotation] = test.annotation
				}
			})
			if test.change != nil {
				test.change(e)
			}
			e.Advance(e.DriftInterval)
			e.settle()
			assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
			assert.NotContains(t, e.Terraform.Runs(), "apply")
			assert.Equal(t, withoutNames(want), withoutNames(pinsOf(t, e.NutanixMachine)))
		})
	}
}

// The digest of a machine of CAPNT 0.1 cannot be compared with a current digest. The machine counts as in sync until
// its next check, which pins the inputs.
func TestMachineOfAnEarlierReleaseIsCheckedLater(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	digest, pins := e.NutanixMachine.Status.Terraform.WorkspaceDigest, pinsOf(t, e.NutanixMachine)
	e.Advance(e.DriftInterval)
	controllertest.ChangeStatus(e.Environment, e.NutanixMachine, func(machine *infrav1.NutanixMachine) {
		machine.Status.Terraform.WorkspaceDigest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
	})
	mutate(e, func(machine *infrav1.NutanixMachine) { delete(machine.Annotations, infrav1.PinnedInputsAnnotation) })
	e.reconciler.Pipeline.Init()
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready)
	assert.Empty(t, e.Terraform.Runs())

	e.Advance(e.DriftInterval)
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready)
	assert.Equal(t, []string{"open", "plan"}, e.Terraform.Runs())
	assert.Equal(t, digest, e.NutanixMachine.Status.Terraform.WorkspaceDigest)
	assert.Equal(t, withoutNames(pins), withoutNames(pinsOf(t, e.NutanixMachine)))
}

// withoutNames removes the names of entities, which are only for people.
func withoutNames(pins pinnedInputs) pinnedInputs {
	pins.PrismElement.Name = ""
	pins.Subnets = slices.Clone(pins.Subnets)
	for i := range pins.Subnets {
		pins.Subnets[i].Name = ""
	}
	if pins.Project != nil {
		pins.Project = &renderer.Ref{UUID: pins.Project.UUID}
	}
	pins.Disks = slices.Clone(pins.Disks)
	for i := range pins.Disks {
		pins.Disks[i].Image = &renderer.Ref{UUID: pins.Disks[i].Image.UUID}
	}
	return pins
}

// If the spec adopts a VM, the VM stays on its Prism Element.
func TestPinsOfVMThatIsTakenOver(t *testing.T) {
	e := newTestEnvironment(t)
	e.Prism.Put(controllertest.VM{UUID: vm1, Name: "m", Addresses: []string{"10.0.0.9"}, PrismElement: pe2})
	e.NutanixMachine.Spec.ProviderID = "nutanix://" + vm1
	e.running()
	pins := pinsOf(t, e.NutanixMachine)
	assert.Equal(t, pe2, pins.PrismElement.UUID)
	assert.Equal(t, unknownUUID, pins.Subnets[0].UUID, "the subnet of the spec belongs to another Prism Element")
}

// A VM may be moved to another Prism Element. An update that moved the VM back would switch it off.
func TestPinnedPrismElementFollowsTheVM(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	vm := e.Prism.VMs()[0]
	vm.PrismElement = pe2
	e.Prism.Put(vm)
	e.Advance(e.DriftInterval)
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
	assert.Equal(t, pe2, pinsOf(t, e.NutanixMachine).PrismElement.UUID)
	_, files := e.Terraform.Variables()
	assert.Contains(t, string(files["main.tf"]), pe2)
}

// Pinned inputs apply only while the VM exists. If there is no VM, a corrected spec applies.
func TestPinsFollowTheSpecUntilTheVMExists(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateMachine(e.Environment)
	e.Terraform.Fail("apply", &terraform.Error{Verb: "apply", Class: terraform.Invalid, Message: "refused"})
	e.settle()
	require.Empty(t, e.Prism.VMs())
	recorder := e.recorder()
	require.NoError(t, sending(t, recorder, gateway.Create{}))
	require.False(t, e.Gone(e.NutanixMachine))
	require.NoError(t, recorder.Refused(t.Context(), gateway.Create{}))
	assert.Equal(t, controllertest.UUID(3, 1), pinsOf(t, e.NutanixMachine).Disks[0].Image.UUID)

	mutate(e, func(machine *infrav1.NutanixMachine) { machine.Spec.Image = ptr.To(named("seed")) })
	e.Advance(time.Minute)
	e.settle()
	require.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
	_, files := e.Terraform.Variables()
	assert.Contains(t, string(files["main.tf"]), controllertest.UUID(3, 4))
}

// The inputs are pinned before the create request is sent. If they cannot be pinned, the request is not sent.
func TestInputsArePinnedBeforeTheCreateIsSent(t *testing.T) {
	e := newTestEnvironment(t)
	richMachine(e)
	e.CreateMachine(e.Environment)
	recorder := e.recorder()
	require.NoError(t, sending(t, recorder, gateway.Create{}))
	require.False(t, e.Gone(e.NutanixMachine))
	pins := pinsOf(t, e.NutanixMachine)
	assert.Equal(t, renderer.Ref{UUID: pe1, Name: "pe-1"}, pins.PrismElement)
	assert.Equal(t, "fd", pins.FailureDomain)

	e.Prism.SetPresent("ubuntu-1.36.3", false)
	gathersPins := func() {
		t.Helper()
		require.False(t, e.Gone(e.NutanixMachine))
		s := e.scope()
		_, err := e.reconciler.gather(t.Context(), s)
		require.NoError(t, err)
		assert.Equal(t, pins, s.pins)
	}
	gathersPins() // the create request was sent, and its result is unknown
	require.NoError(t, recorder.Accepted(t.Context(), gateway.Created{UUID: vm1}))
	gathersPins() // the create request was accepted, but the VM may not exist yet

	require.NoError(t, api.Delete(t.Context(), e.NutanixMachine))
	assert.Error(t, sending(t, recorder, gateway.Create{}))
}

// A stale cache may lack the inputs that were pinned when the VM was created. These inputs must stay.
func TestStaleCacheDoesNotChangePins(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	want := e.NutanixMachine.Annotations[infrav1.PinnedInputsAnnotation]
	require.NotEmpty(t, want)
	s := e.scope()
	delete(s.nutanixMachine.Annotations, infrav1.PinnedInputsAnnotation)
	s.nutanixMachine.Spec.Image = ptr.To(named("seed"))
	_, err := e.reconciler.gather(t.Context(), s)
	require.NoError(t, err)
	require.NoError(t, e.reconciler.pin(t.Context(), s))
	assert.True(t, s.unfinished, "the reconcile ends until the cache shows the annotation")
	require.False(t, e.Gone(e.NutanixMachine))
	assert.Equal(t, want, e.NutanixMachine.Annotations[infrav1.PinnedInputsAnnotation])
}

// scope returns the scope for a reconcile of the machine.
func (e *testEnvironment) scope() *scope {
	e.T.Helper()
	access, err := e.reconciler.Prism.Access(e.T.Context(), e.NutanixCluster)
	require.NoError(e.T, err)
	return &scope{cluster: e.Cluster, machine: e.Machine, nutanixCluster: e.NutanixCluster, nutanixMachine: e.NutanixMachine.DeepCopy(), access: access}
}

// recorder returns the create recorder for a run with the current inputs of the machine.
func (e *testEnvironment) recorder() gateway.CreateRecorder {
	e.T.Helper()
	target, err := e.reconciler.target(e.T.Context(), e.scope())
	require.NoError(e.T, err)
	return target.Hooks.Creates
}
