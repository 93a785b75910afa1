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

// richMachine gives the machine of a world one of everything that is pinned. It runs in a failure domain of the cluster.
func richMachine(w *world) {
	w.T.Helper()
	controllertest.Change(w.Bed, w.NutanixCluster, func(cluster *infrav1.NutanixCluster) {
		cluster.Spec.FailureDomains = []infrav1.NutanixFailureDomainConfig{
			{Name: "fd", Cluster: named("pe-1"), Subnets: []infrav1.NutanixResourceIdentifier{named("net-1")}}}
	})
	w.Machine.Spec.FailureDomain = "fd"
	spec := &w.NutanixMachine.Spec
	spec.BootType = infrav1.NutanixBootTypeUEFI
	spec.Project = ptr.To(named("team"))
	spec.GPUs = []infrav1.NutanixGPU{{Type: infrav1.NutanixGPUIdentifierName, Name: ptr.To("T4")}}
	spec.DataDisks = []infrav1.NutanixMachineVMDisk{{
		DiskSize: resource.MustParse("10Gi"), DataSource: ptr.To(named("seed")),
		StorageConfig: &infrav1.NutanixMachineVMStorageConfig{StorageContainer: ptr.To(named("fast"))},
	}}
}

// pinsOf are the pinned inputs in the annotation of a machine.
func pinsOf(t *testing.T, machine *infrav1.NutanixMachine) pinnedInputs {
	t.Helper()
	pins := pinnedInputs{}
	require.NoError(t, json.Unmarshal([]byte(machine.Annotations[infrav1.PinnedInputsAnnotation]), &pins))
	return pins
}

func TestInputsArePinned(t *testing.T) {
	w := newWorld(t)
	richMachine(w)
	w.running()
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
	}, pinsOf(t, w.NutanixMachine))
	assert.Equal(t, "fd", w.NutanixMachine.Status.FailureDomain)
}

// Once the VM exists, what it was created from may disappear, get a second one of its name or be edited. The machine stays
// Ready, its workspace stays the same to the byte, and nobody looks these entities up.
func TestLivingMachineKeepsItsPinnedInputs(t *testing.T) {
	domains := func(w *world, change func(*infrav1.NutanixClusterSpec)) {
		controllertest.Change(w.Bed, w.NutanixCluster, func(cluster *infrav1.NutanixCluster) { change(&cluster.Spec) })
	}
	for name, change := range map[string]func(w *world){
		"image removed":             func(w *world) { w.Prism.Miss("ubuntu-1.36.3", false) },
		"image of a disk removed":   func(w *world) { w.Prism.Miss("seed", false) },
		"subnet removed":            func(w *world) { w.Prism.Miss("net-1", false) },
		"project removed":           func(w *world) { w.Prism.Miss("team", false) },
		"storage container removed": func(w *world) { w.Prism.Miss("fast", false) },
		"Prism Element renamed":     func(w *world) { w.Prism.Miss("pe-1", false) },
		"GPU removed":               func(w *world) { w.Prism.Miss("host-1", false) },
		"GPU in use":                func(w *world) { w.Prism.TakeGPU(true) },
		"failure domain moved": func(w *world) {
			domains(w, func(spec *infrav1.NutanixClusterSpec) {
				spec.FailureDomains[0].Cluster, spec.FailureDomains[0].Subnets = named("pe-2"), []infrav1.NutanixResourceIdentifier{named("net-2")}
			})
		},
		"failure domain that does not resolve": func(w *world) {
			domains(w, func(spec *infrav1.NutanixClusterSpec) { spec.FailureDomains[0].Cluster = named("pe-9") })
		},
		"failure domain removed": func(w *world) {
			domains(w, func(spec *infrav1.NutanixClusterSpec) { spec.FailureDomains = nil })
		},
		"Machine in another failure domain": func(w *world) {
			controllertest.Change(w.Bed, w.Machine, func(machine *clusterv1.Machine) { machine.Spec.FailureDomain = "fd-9" })
		},
		"spec edited": func(w *world) {
			mutate(w, func(machine *infrav1.NutanixMachine) {
				machine.Spec.Image, machine.Spec.Project = ptr.To(named("twin")), nil
				machine.Spec.BootType, machine.Spec.GPUs, machine.Spec.DataDisks = infrav1.NutanixBootTypeLegacy, nil, nil
				machine.Spec.SystemDiskSize = resource.MustParse("80Gi")
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			richMachine(w)
			w.running()
			w.Advance(w.DriftInterval)
			w.settle()
			machine := w.NutanixMachine.DeepCopy()
			_, files := w.Terraform.Variables()
			w.Terraform.Runs()
			w.Prism.Requests()
			change(w)
			for _, pass := range []func(){
				func() {},
				func() { w.Advance(w.DriftInterval) },
				func() { w.reconciler.Pipeline.Init(); w.Advance(w.DriftInterval) },
			} {
				pass()
				w.settle()
				assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
			}
			assert.Equal(t, []string{"open", "plan", "open", "plan"}, w.Terraform.Runs(), "two checks that find nothing")
			_, planned := w.Terraform.Variables()
			assert.Equal(t, string(files["main.tf"]), string(planned["main.tf"]))
			assert.Equal(t, machine.Status.Terraform.WorkspaceDigest, w.NutanixMachine.Status.Terraform.WorkspaceDigest)
			assert.Equal(t, machine.Annotations, w.NutanixMachine.Annotations)
			assert.Equal(t, "fd", w.NutanixMachine.Status.FailureDomain)
			for _, request := range w.Prism.Requests() {
				assert.True(t, strings.HasPrefix(request, "GET vms/") || strings.HasPrefix(request, "GET categories/"), request)
			}
		})
	}
}

func TestDeletedNutanixFailureDomainChangesNothing(t *testing.T) {
	w := newWorld(t)
	domain := &infrav1.NutanixFailureDomain{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "fd"}, Spec: infrav1.NutanixFailureDomainSpec{
		PrismElementCluster: named("pe-2"), Subnets: []infrav1.NutanixResourceIdentifier{named("net-2")}}}
	w.Create(domain)
	w.Machine.Spec.FailureDomain = "fd"
	w.running()
	require.NoError(t, api.Delete(t.Context(), domain))
	w.Advance(w.DriftInterval)
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
	assert.Equal(t, []string{"open", "plan"}, w.Terraform.Runs())
	assert.Equal(t, pe2, pinsOf(t, w.NutanixMachine).PrismElement.UUID)
}

// A machine of CAPNT 0.1 has no pinned inputs. It gets them at its next check: the Prism Element is where its VM runs, the
// rest comes from the spec as far as that can be resolved.
func TestMachineWithoutPinsIsPinned(t *testing.T) {
	for name, test := range map[string]struct {
		annotation string
		change     func(w *world)
		want       func(*pinnedInputs)
	}{
		"that has everything":    {want: func(*pinnedInputs) {}},
		"with an unreadable one": {annotation: "{", want: func(*pinnedInputs) {}},
		"whose failure domain was moved": {change: func(w *world) {
			controllertest.Change(w.Bed, w.NutanixCluster, func(cluster *infrav1.NutanixCluster) { cluster.Spec.FailureDomains[0].Cluster = named("pe-2") })
		}, want: func(*pinnedInputs) {}},
		"whose failure domain was removed": {change: func(w *world) {
			controllertest.Change(w.Bed, w.NutanixCluster, func(cluster *infrav1.NutanixCluster) { cluster.Spec.FailureDomains = nil })
		}, want: func(pins *pinnedInputs) { pins.Subnets[0].UUID = unknownUUID }},
		"whose image and project were removed": {change: func(w *world) {
			w.Prism.Miss("ubuntu-1.36.3", false)
			w.Prism.Miss("team", false)
		}, want: func(pins *pinnedInputs) { pins.Disks[0].Image.UUID, pins.Project.UUID = unknownUUID, unknownUUID }},
		"whose GPU was removed": {change: func(w *world) { w.Prism.Miss("host-1", false) }, want: func(pins *pinnedInputs) { pins.GPUs = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			richMachine(w)
			w.running()
			want := pinsOf(t, w.NutanixMachine)
			test.want(&want)
			mutate(w, func(machine *infrav1.NutanixMachine) {
				delete(machine.Annotations, infrav1.PinnedInputsAnnotation)
				if test.annotation != "" {
					machine.Annotations[infrav1.PinnedInputsAnnotation] = test.annotation
				}
			})
			if test.change != nil {
				test.change(w)
			}
			w.Advance(w.DriftInterval)
			w.settle()
			assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
			assert.NotContains(t, w.Terraform.Runs(), "apply")
			assert.Equal(t, withoutNames(want), withoutNames(pinsOf(t, w.NutanixMachine)))
		})
	}
}

// A machine of CAPNT 0.1 has a digest that cannot be compared. It counts as in sync until its check, at which it is pinned.
func TestMachineOfAnEarlierReleaseIsCheckedLater(t *testing.T) {
	w := newWorld(t)
	w.running()
	digest, pins := w.NutanixMachine.Status.Terraform.WorkspaceDigest, pinsOf(t, w.NutanixMachine)
	w.Advance(w.DriftInterval)
	controllertest.ChangeStatus(w.Bed, w.NutanixMachine, func(machine *infrav1.NutanixMachine) {
		machine.Status.Terraform.WorkspaceDigest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
	})
	mutate(w, func(machine *infrav1.NutanixMachine) { delete(machine.Annotations, infrav1.PinnedInputsAnnotation) })
	w.reconciler.Pipeline.Init()
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready)
	assert.Empty(t, w.Terraform.Runs())

	w.Advance(w.DriftInterval)
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready)
	assert.Equal(t, []string{"open", "plan"}, w.Terraform.Runs())
	assert.Equal(t, digest, w.NutanixMachine.Status.Terraform.WorkspaceDigest)
	assert.Equal(t, withoutNames(pins), withoutNames(pinsOf(t, w.NutanixMachine)))
}

// withoutNames removes the names of entities, which only describe them.
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

// A VM that the spec takes over stays on the Prism Element on which it runs.
func TestPinsOfAVMThatIsTakenOver(t *testing.T) {
	w := newWorld(t)
	w.Prism.Put(controllertest.VM{UUID: vm1, Name: "m", Addresses: []string{"10.0.0.9"}, PrismElement: pe2})
	w.NutanixMachine.Spec.ProviderID = "nutanix://" + vm1
	w.running()
	pins := pinsOf(t, w.NutanixMachine)
	assert.Equal(t, pe2, pins.PrismElement.UUID)
	assert.Equal(t, unknownUUID, pins.Subnets[0].UUID, "the subnet of the spec belongs to another Prism Element")
}

// A VM may be moved to another Prism Element. Moving it back would switch it off.
func TestPinnedPrismElementFollowsTheVM(t *testing.T) {
	w := newWorld(t)
	w.running()
	vm := w.Prism.VMs()[0]
	vm.PrismElement = pe2
	w.Prism.Put(vm)
	w.Advance(w.DriftInterval)
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
	assert.Equal(t, pe2, pinsOf(t, w.NutanixMachine).PrismElement.UUID)
	_, files := w.Terraform.Variables()
	assert.Contains(t, string(files["main.tf"]), pe2)
}

// Pins bind a machine to its VM. Without a VM, a spec that is corrected counts.
func TestPinsFollowTheSpecUntilThereIsAVM(t *testing.T) {
	w := newWorld(t)
	w.CreateMachine(w.Bed)
	w.Terraform.Fail("apply", &terraform.Error{Verb: "apply", Class: terraform.Invalid, Message: "refused"})
	w.settle()
	require.Empty(t, w.Prism.VMs())
	recorder := w.recorder()
	require.NoError(t, recorder.Sending(t.Context(), gateway.Create{}))
	require.False(t, w.Gone(w.NutanixMachine))
	require.NoError(t, recorder.Refused(t.Context(), gateway.Create{}))
	assert.Equal(t, controllertest.UUID(3, 1), pinsOf(t, w.NutanixMachine).Disks[0].Image.UUID)

	mutate(w, func(machine *infrav1.NutanixMachine) { machine.Spec.Image = ptr.To(named("seed")) })
	w.Advance(time.Minute)
	w.settle()
	require.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
	_, files := w.Terraform.Variables()
	assert.Contains(t, string(files["main.tf"]), controllertest.UUID(3, 4))
}

// The inputs that the VM is created from are pinned before the create is sent. If that fails, the create is not sent.
func TestInputsArePinnedBeforeTheCreateIsSent(t *testing.T) {
	w := newWorld(t)
	richMachine(w)
	w.CreateMachine(w.Bed)
	recorder := w.recorder()
	require.NoError(t, recorder.Sending(t.Context(), gateway.Create{}))
	require.False(t, w.Gone(w.NutanixMachine))
	pins := pinsOf(t, w.NutanixMachine)
	assert.Equal(t, renderer.Ref{UUID: pe1, Name: "pe-1"}, pins.PrismElement)
	assert.Equal(t, "fd", pins.FailureDomain)

	w.Prism.Miss("ubuntu-1.36.3", false)
	gathersPins := func() {
		t.Helper()
		require.False(t, w.Gone(w.NutanixMachine))
		s := w.scope()
		_, err := w.reconciler.gather(t.Context(), s)
		require.NoError(t, err)
		assert.Equal(t, pins, s.pins)
	}
	gathersPins() // the create was sent, and nothing is known of it
	require.NoError(t, recorder.Accepted(t.Context(), gateway.Created{UUID: vm1}))
	gathersPins() // the VM may not be there yet

	require.NoError(t, api.Delete(t.Context(), w.NutanixMachine))
	assert.Error(t, recorder.Sending(t.Context(), gateway.Create{}))
}

// A cache may not show yet what was pinned when the VM was created. That stays.
func TestStaleCacheDoesNotChangePins(t *testing.T) {
	w := newWorld(t)
	w.running()
	want := w.NutanixMachine.Annotations[infrav1.PinnedInputsAnnotation]
	require.NotEmpty(t, want)
	s := w.scope()
	delete(s.nutanixMachine.Annotations, infrav1.PinnedInputsAnnotation)
	s.nutanixMachine.Spec.Image = ptr.To(named("seed"))
	_, err := w.reconciler.gather(t.Context(), s)
	require.NoError(t, err)
	require.NoError(t, w.reconciler.pin(t.Context(), s))
	assert.True(t, s.unfinished, "the reconcile ends until the cache shows the annotation")
	require.False(t, w.Gone(w.NutanixMachine))
	assert.Equal(t, want, w.NutanixMachine.Annotations[infrav1.PinnedInputsAnnotation])
}

// scope is what a reconcile of the machine works on.
func (w *world) scope() *scope {
	w.T.Helper()
	access, err := w.reconciler.Prism.Access(w.T.Context(), w.NutanixCluster)
	require.NoError(w.T, err)
	return &scope{cluster: w.Cluster, machine: w.Machine, nutanixCluster: w.NutanixCluster, nutanixMachine: w.NutanixMachine.DeepCopy(), access: access}
}

// recorder is what records the creates of a run for the present inputs of the machine.
func (w *world) recorder() gateway.CreateRecorder {
	w.T.Helper()
	target, err := w.reconciler.target(w.T.Context(), w.scope())
	require.NoError(w.T, err)
	return target.Hooks.Creates
}
