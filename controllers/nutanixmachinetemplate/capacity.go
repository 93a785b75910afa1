package nutanixmachinetemplate

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// resourceGPU is the extended resource under which NVIDIA's device plugin offers GPUs, and which the autoscaler knows.
const resourceGPU corev1.ResourceName = "nvidia.com/gpu"

// operatingSystem of all nodes: kubeadm runs on Linux alone.
const operatingSystem = "linux"

// publishCapacity writes what a node of the template offers into its status.
func publishCapacity(template *infrav1.NutanixMachineTemplate) {
	template.Status.Capacity = capacity(template.Spec.Template.Spec)
	template.Status.NodeInfo = infrav1.NutanixMachineNodeInfo{
		Architecture:    infrav1.NutanixMachineArchitectureAMD64, // AHV runs on x86 alone
		OperatingSystem: operatingSystem,
	}
}

// capacity is what a VM of the spec has. A node reports a little less memory, which firmware and kernel keep.
func capacity(spec infrav1.NutanixMachineSpec) corev1.ResourceList {
	resources := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(int64(spec.VCPUSockets)*int64(spec.VCPUsPerSocket), resource.DecimalSI),
		corev1.ResourceMemory: spec.MemorySize.DeepCopy(),
	}
	if len(spec.GPUs) > 0 {
		resources[resourceGPU] = *resource.NewQuantity(int64(len(spec.GPUs)), resource.DecimalSI)
	}
	return resources
}
