package v1beta1_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func TestMachineUpdate(t *testing.T) {
	const provided = "nutanix://" + vmUUID
	for name, tc := range map[string]struct {
		old, change func(*infrav1.NutanixMachine)
		want        []string
	}{
		"image, no VM yet": {nil, func(m *infrav1.NutanixMachine) { m.Spec.Image = ptr.To(byName("right")) }, nil},
		"image of a VM": {
			func(m *infrav1.NutanixMachine) { m.Spec.ProviderID = provided },
			func(m *infrav1.NutanixMachine) { m.Spec.Image = ptr.To(byName("other")) },
			[]string{"spec.image:immutable once the VM exists"},
		},
		"size of a VM that is being created": {
			func(m *infrav1.NutanixMachine) { m.Status.VMUUID = vmUUID },
			func(m *infrav1.NutanixMachine) { m.Spec.MemorySize, m.Spec.VCPUSockets = resource.MustParse("8Gi"), 4 },
			[]string{"spec.vcpuSockets:immutable", "spec.memorySize:immutable"},
		},
		"size of a VM whose create is being sent": {
			func(m *infrav1.NutanixMachine) {
				m.Annotations = map[string]string{infrav1.CreateIntentAnnotation: "{}"}
			},
			func(m *infrav1.NutanixMachine) { m.Spec.MemorySize = resource.MustParse("8Gi") },
			[]string{"spec.memorySize:immutable"},
		},
		"same size in other units": {
			func(m *infrav1.NutanixMachine) { m.Spec.ProviderID = provided },
			func(m *infrav1.NutanixMachine) { m.Spec.MemorySize = resource.MustParse("4096Mi") }, nil,
		},
		"defaults filled in": {
			func(m *infrav1.NutanixMachine) {
				m.Spec.ProviderID, m.Spec.DataDisks = provided, []infrav1.NutanixMachineVMDisk{{DiskSize: resource.MustParse("1Gi")}}
			},
			func(m *infrav1.NutanixMachine) { m.Spec.Default() }, nil,
		},
		"mutable fields": {
			func(m *infrav1.NutanixMachine) { m.Spec.ProviderID = provided },
			func(m *infrav1.NutanixMachine) {
				m.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "k", Value: "v"}}
				m.Spec.BootstrapRef = &corev1.ObjectReference{Kind: "Secret", Name: "s"}
			}, nil,
		},
		"placement of a VM": {
			func(m *infrav1.NutanixMachine) { m.Spec.ProviderID = provided },
			func(m *infrav1.NutanixMachine) {
				m.Spec.Cluster, m.Spec.Subnets = byName("pe-2"), []infrav1.NutanixResourceIdentifier{byName("n2")}
				m.Spec.Project = ptr.To(byName("p"))
			},
			[]string{"spec.cluster:immutable", "spec.subnet:immutable", "spec.project:immutable"},
		},
		"placeholder becomes a VM": {
			func(m *infrav1.NutanixMachine) { m.Spec.ProviderID = "nutanix://my-cluster-m1" },
			func(m *infrav1.NutanixMachine) { m.Spec.ProviderID = provided }, nil,
		},
		"provider ID of another VM": {
			func(m *infrav1.NutanixMachine) { m.Spec.ProviderID = provided },
			func(m *infrav1.NutanixMachine) { m.Spec.ProviderID = strings.Replace(provided, "0a", "0b", 1) },
			[]string{"spec.providerID:restore " + provided},
		},
		"provider ID removed": {
			func(m *infrav1.NutanixMachine) { m.Spec.ProviderID = provided },
			func(m *infrav1.NutanixMachine) { m.Spec.ProviderID = "" },
			[]string{"spec.providerID:restore"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			old := machine()
			if tc.old != nil {
				tc.old(old)
			}
			updated := old.DeepCopy()
			tc.change(updated)
			assertErrors(t, tc.want, updated.ValidateUpdate(old, vmOf))
		})
	}
}

// vmOf accepts every string that has the length of a UUID.
func vmOf(providerID string) (uuid string, ok bool) {
	uuid, found := strings.CutPrefix(providerID, "nutanix://")
	return uuid, found && len(uuid) == len(vmUUID)
}

func TestClusterUpdate(t *testing.T) {
	old := cluster()
	updated := old.DeepCopy()
	updated.Spec.ControlPlaneEndpoint.Port = 443
	assertErrors(t, []string{"spec.controlPlaneEndpoint:restore 10.0.0.100:6443"}, updated.ValidateUpdate(old))

	old.Spec.ControlPlaneEndpoint = infrav1.APIEndpoint{}
	assertErrors(t, nil, updated.ValidateUpdate(old))

	apart := old.DeepCopy()
	apart.Spec.ControlPlaneAntiAffinity = infrav1.AntiAffinityPreferred
	assertErrors(t, nil, apart.ValidateUpdate(old)) // its API is not chosen yet
	old.Annotations = map[string]string{infrav1.WorkspaceKeyAnnotation: "key"}
	assertErrors(t, []string{"spec.controlPlaneAntiAffinity:this cluster uses the v3 API"}, apart.ValidateUpdate(old))
	assertErrors(t, nil, apart.ValidateUpdate(apart)) // the controller reports it
	old.Annotations[infrav1.PrismAPIAnnotation] = "v4"
	assertErrors(t, nil, apart.ValidateUpdate(old))

	updated.Spec.PrismCentral.Address = "10.1.1.1"
	assert.False(t, updated.PrismAddressChanged(old))
	old.Status.Initialization.Provisioned = ptr.To(true)
	assert.True(t, updated.PrismAddressChanged(old))
}

func TestTemplateUpdate(t *testing.T) {
	old := &infrav1.NutanixMachineTemplate{}
	old.Spec.Template.Spec = machine().Spec
	updated := old.DeepCopy()
	updated.Spec.Template.ObjectMeta.Labels = map[string]string{"team": "a"}
	assertErrors(t, nil, updated.ValidateUpdate(old))
	updated.Spec.Template.Spec.VCPUSockets = 8
	assertErrors(t, []string{"spec.template.spec:create another template"}, updated.ValidateUpdate(old))

	oldCluster := &infrav1.NutanixClusterTemplate{}
	oldCluster.Spec.Template.Spec = cluster().Spec
	updatedCluster := oldCluster.DeepCopy()
	assertErrors(t, nil, updatedCluster.ValidateUpdate(oldCluster))
	updatedCluster.Spec.Template.Spec.PrismCentral.Insecure = true
	assertErrors(t, []string{"spec.template.spec:create another template"}, updatedCluster.ValidateUpdate(oldCluster))
}
