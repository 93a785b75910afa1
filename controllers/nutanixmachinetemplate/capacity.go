package nutanixmachinetemplate

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// resourceGPU is the extended resource of NVIDIA's device plugin. The cluster autoscaler supports this name.
const resourceGPU corev1.ResourceName = "nvidia.com/gpu"

// operatingSystem is the operating system of all nodes, because kubeadm runs on Linux only.
const operatingSystem = "linux"

// publishCapacity writes the capacity, architecture and operating system of a node to the status of the template.
func publishCapacity(template *infrav1.NutanixMachineTemplate) {
	template.Status.Capacity = capacity(template.Spec.Template.Spec)
	template.Status.NodeInfo = infrav1.NutanixMachineNodeInfo{
		Architecture:    infrav1.NutanixMachineArchitectureAMD64, // AHV runs on x86 only
		OperatingSystem: operatingSystem,
	}
}

// capacity returns the capacity of a VM with the spec. A real node reports slightly less memory, because firmware and
// kernel reserve some of it.
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
