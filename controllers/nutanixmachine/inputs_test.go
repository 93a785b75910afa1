package nutanixmachine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/renderer"
)

func named(name string) infrav1.NutanixResourceIdentifier { return controllertest.Named(name) }

// gathered calls change with the machine, then calls gather and returns its result.
func gathered(e *testEnvironment, change func(*infrav1.NutanixMachine)) (renderer.Machine, error) {
	e.T.Helper()
	change(e.NutanixMachine)
	access, err := e.reconciler.Prism.Access(e.T.Context(), e.NutanixCluster)
	require.NoError(e.T, err)
	return e.reconciler.gather(e.T.Context(), &scope{
		cluster: e.Cluster, machine: e.Machine, nutanixCluster: e.NutanixCluster, nutanixMachine: e.NutanixMachine, access: access})
}

func TestGather(t *testing.T) {
	e := newTestEnvironment(t)
	e.NutanixMachine.Annotations = map[string]string{infrav1.WorkspaceKeyAnnotation: "key-1"}
	inputs, err := gathered(e, func(machine *infrav1.NutanixMachine) {
		spec := &machine.Spec
		spec.BootType = infrav1.NutanixBootTypeUEFI
		spec.Project = ptr.To(named("team"))
		spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "env", Value: "prod"}}
		spec.GPUs = []infrav1.NutanixGPU{{Type: infrav1.NutanixGPUIdentifierName, Name: ptr.To("T4")}}
		spec.DataDisks = []infrav1.NutanixMachineVMDisk{{
			DiskSize: resource.MustParse("10Gi"), DataSource: ptr.To(named("seed")),
			StorageConfig: &infrav1.NutanixMachineVMStorageConfig{DiskMode: infrav1.NutanixMachineDiskModeFlash, StorageContainer: ptr.To(named("fast"))},
		}}
	})
	require.NoError(t, err)
	assert.Equal(t, renderer.Machine{
		Name: "m", Description: "Managed by CAPNT, key key-1, NutanixMachine " + e.Namespace + "/m",
		PrismElement: renderer.Ref{UUID: controllertest.UUID(1, 1), Name: "pe-1"},
		Project:      &renderer.Ref{UUID: controllertest.UUID(4, 1), Name: "team"},
		Subnets:      []renderer.Ref{{UUID: controllertest.UUID(2, 1), Name: "net-1"}},
		Sockets:      2, VCPUsPerSocket: 1, MemoryMiB: 4096, BootType: renderer.BootUEFI,
		Disks: []renderer.Disk{
			{DeviceType: "DISK", AdapterType: "SCSI", SizeMiB: 40960, Image: &renderer.Ref{UUID: controllertest.UUID(3, 1), Name: "ubuntu-1.36.3"}},
			{DeviceType: "DISK", AdapterType: "SCSI", Index: 1, SizeMiB: 10240, FlashMode: true, Image: &renderer.Ref{UUID: controllertest.UUID(3, 4), Name: "seed"},
				StorageContainer: &renderer.Ref{UUID: controllertest.UUID(8, 1), Name: "fast"}},
		},
		GPUs:       []renderer.GPU{{Vendor: "NVIDIA", Mode: "PASSTHROUGH_COMPUTE", DeviceID: 7864, Name: "T4"}},
		Categories: map[string]string{"env": "prod", "KubernetesClusterName": "c"},
		CloudInit:  true,
	}, inputs)
}

func TestGatherBootstrapImage(t *testing.T) {
	e := newTestEnvironment(t)
	inputs, err := gathered(e, func(machine *infrav1.NutanixMachine) {
		machine.Spec.BootstrapRef = &corev1.ObjectReference{Kind: infrav1.NutanixMachineBootstrapRefKindImage, Name: "seed"}
	})
	require.NoError(t, err)
	assert.False(t, inputs.CloudInit)
	require.Len(t, inputs.Disks, 2)
	assert.Equal(t, "CDROM", inputs.Disks[1].DeviceType)
	assert.Equal(t, "seed", inputs.Disks[1].Image.Name)
}

func TestMissingEntityIsReportedAndRetried(t *testing.T) {
	tests := map[string]struct {
		change          func(spec *infrav1.NutanixMachineSpec)
		reason, message string
		heal            func(spec *infrav1.NutanixMachineSpec)
	}{
		"image":      {func(s *infrav1.NutanixMachineSpec) { s.Image = ptr.To(named("windows")) }, "ImageNotFound", "windows", nil},
		"two images": {func(s *infrav1.NutanixMachineSpec) { s.Image = ptr.To(named("twin")) }, "ImageAmbiguous", controllertest.UUID(3, 2) + ", " + controllertest.UUID(3, 3), nil},
		"image to look up": {func(s *infrav1.NutanixMachineSpec) {
			s.Image, s.ImageLookup = nil, &infrav1.NutanixImageLookup{BaseOS: "rocky"}
		}, "ImageNotFound", "spec.imageLookup", func(s *infrav1.NutanixMachineSpec) { s.ImageLookup = nil }},
		"Prism Element":    {func(s *infrav1.NutanixMachineSpec) { s.Cluster = named("pe-9") }, "PrismElementNotFound", "pe-9", nil},
		"no Prism Element": {func(s *infrav1.NutanixMachineSpec) { s.Cluster = infrav1.NutanixResourceIdentifier{} }, "PrismElementNotSet", "spec.cluster", nil},
		"subnet":           {func(s *infrav1.NutanixMachineSpec) { s.Subnets = []infrav1.NutanixResourceIdentifier{named("net-9")} }, "SubnetNotFound", "spec.subnet[0]", nil},
		"subnet elsewhere": {func(s *infrav1.NutanixMachineSpec) {
			s.Subnets = []infrav1.NutanixResourceIdentifier{named("net-1"), named("net-2")}
		}, "SubnetWrongPrismElement", "spec.subnet[1]", nil},
		"project": {func(s *infrav1.NutanixMachineSpec) { s.Project = ptr.To(named("nobody")) }, "ProjectNotFound", "spec.project", func(s *infrav1.NutanixMachineSpec) { s.Project = nil }},
		"category": {func(s *infrav1.NutanixMachineSpec) {
			s.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "env", Value: "test"}}
		}, "CategoryNotFound", "env=test", func(s *infrav1.NutanixMachineSpec) { s.Categories = nil }},
		"GPU": {func(s *infrav1.NutanixMachineSpec) {
			s.GPUs = []infrav1.NutanixGPU{{Type: "name", Name: ptr.To("Voodoo")}}
		}, "GPUNotFound", "Voodoo", func(s *infrav1.NutanixMachineSpec) { s.GPUs = nil }},
		"storage container": {func(s *infrav1.NutanixMachineSpec) {
			s.DataDisks = []infrav1.NutanixMachineVMDisk{{DiskSize: resource.MustParse("1Gi"), StorageConfig: &infrav1.NutanixMachineVMStorageConfig{StorageContainer: ptr.To(named("slow"))}}}
		}, "StorageContainerNotFound", "spec.dataDisks[0]", func(s *infrav1.NutanixMachineSpec) { s.DataDisks = nil }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			good := e.NutanixMachine.Spec.DeepCopy()
			test.change(&e.NutanixMachine.Spec)
			e.CreateMachine(e.Environment)
			result := e.settle()
			e.requireFalse(infrav1.InputsResolvedCondition, test.reason)
			assert.Contains(t, conditions.GetMessage(e.NutanixMachine, infrav1.InputsResolvedCondition), test.message)
			assert.Contains(t, conditions.GetMessage(e.NutanixMachine, infrav1.ReadyCondition), test.message)
			assert.Positive(t, result.RequeueAfter, "changes in Prism Central trigger no reconcile")
			assert.Empty(t, e.Terraform.Runs())
			assert.Nil(t, e.NutanixMachine.Status.FailureReason)
			mutate(e, func(machine *infrav1.NutanixMachine) {
				machine.Spec.Image, machine.Spec.Cluster, machine.Spec.Subnets = good.Image, good.Cluster, good.Subnets
				if test.heal != nil {
					test.heal(&machine.Spec)
				}
			})
			e.settle()
			assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
		})
	}
}

// The controller rejects two network cards on one subnet, whether the spec references the subnet by name or by UUID. A
// machine that already has two network cards on one subnet keeps them.
func TestSubnetTwiceIsRefused(t *testing.T) {
	twice := []infrav1.NutanixResourceIdentifier{named("net-1"), {Type: infrav1.NutanixIdentifierUUID, UUID: ptr.To(controllertest.UUID(2, 1))}}
	for name, test := range map[string]struct {
		arrange func(e *testEnvironment)
		message string
	}{
		"by the spec": {func(e *testEnvironment) { e.NutanixMachine.Spec.Subnets = twice }, "spec.subnet[0] and spec.subnet[1] are the same"},
		"by a domain of the cluster": {func(e *testEnvironment) {
			e.Machine.Spec.FailureDomain = "fd"
			e.NutanixCluster.Spec.FailureDomains = []infrav1.NutanixFailureDomainConfig{{Name: "fd", Cluster: named("pe-1"), Subnets: twice}}
		}, "subnets[0] and subnets[1] of failure domain fd are the same"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			test.arrange(e)
			_, err := gathered(e, func(*infrav1.NutanixMachine) {})
			requireProblem(t, err, infrav1.SubnetDuplicateReason)
			require.ErrorContains(t, err, test.message)
			_, err = gathered(e, func(machine *infrav1.NutanixMachine) { machine.Spec.ProviderID = "nutanix://" + vm1 })
			require.NoError(t, err)
		})
	}
}

func TestMachineWaitsForGPUInUse(t *testing.T) {
	e := newTestEnvironment(t)
	e.NutanixMachine.Spec.GPUs = []infrav1.NutanixGPU{{Type: infrav1.NutanixGPUIdentifierName, Name: ptr.To("T4")}}
	e.Prism.TakeGPU(true)
	e.CreateMachine(e.Environment)
	e.settle()
	e.requireFalse(infrav1.InputsResolvedCondition, infrav1.GPUUnavailableReason)
	e.Prism.TakeGPU(false)
	e.Advance(20 * time.Second) // the first delay
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready)
}

func TestPlacement(t *testing.T) {
	domain := infrav1.NutanixFailureDomainConfig{Name: "fd-inline", Cluster: named("pe-2"), Subnets: []infrav1.NutanixResourceIdentifier{named("net-2")}}
	object := &infrav1.NutanixFailureDomain{ObjectMeta: metav1.ObjectMeta{Name: "fd-object"}, Spec: infrav1.NutanixFailureDomainSpec{
		PrismElementCluster: named("pe-2"), Subnets: []infrav1.NutanixResourceIdentifier{named("net-2")}}}
	there := placement{prismElement: named("pe-2"), subnets: []infrav1.NutanixResourceIdentifier{named("net-2")}}
	in := func(name string) placement { p := there; p.failureDomain = name; return p }
	tests := map[string]struct {
		domain string
		change func(spec *infrav1.NutanixMachineSpec)
		want   placement
		reason string
	}{
		"by the spec":                     {want: placement{prismElement: named("pe-1"), subnets: []infrav1.NutanixResourceIdentifier{named("net-1")}}},
		"by a domain of the cluster":      {domain: "fd-inline", want: in("fd-inline")},
		"by a domain of its own":          {domain: "fd-object", want: in("fd-object")},
		"the domain wins, and is enough":  {domain: "fd-inline", change: func(s *infrav1.NutanixMachineSpec) { s.Cluster, s.Subnets = infrav1.NutanixResourceIdentifier{}, nil }, want: in("fd-inline")},
		"by a domain that does not exist": {domain: "fd-9", reason: infrav1.FailureDomainNotFoundReason},
		"without a Prism Element":         {change: func(s *infrav1.NutanixMachineSpec) { s.Cluster = infrav1.NutanixResourceIdentifier{} }, reason: infrav1.PrismElementNotSetReason},
		"without a subnet":                {change: func(s *infrav1.NutanixMachineSpec) { s.Subnets = nil }, reason: infrav1.SubnetNotSetReason},
	}
	e := newTestEnvironment(t)
	object.Namespace = e.Namespace
	e.Create(object)
	e.NutanixCluster.Spec.FailureDomains = []infrav1.NutanixFailureDomainConfig{domain}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &scope{machine: e.Machine.DeepCopy(), nutanixCluster: e.NutanixCluster, nutanixMachine: e.NutanixMachine.DeepCopy()}
			s.machine.Namespace, s.machine.Spec.FailureDomain = e.Namespace, test.domain
			if test.change != nil {
				test.change(&s.nutanixMachine.Spec)
			}
			before := s.nutanixMachine.DeepCopy()
			got, err := e.reconciler.place(t.Context(), s)
			assert.Equal(t, before, s.nutanixMachine, "the spec is not changed")
			if test.reason == "" {
				require.NoError(t, err)
				assert.Equal(t, test.want, got)
				return
			}
			requireProblem(t, err, test.reason)
		})
	}
}
