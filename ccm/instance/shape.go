package instance

import (
	"fmt"
	"math"
	"strconv"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
)

// constantType is the instance type that Nutanix's own cloud controller manager gives to everything.
const constantType = "ahv-vm"

// instanceType is "ahv-vm", or "ahv-<vCPUs>c-<GiB>g" by size. GiB are rounded to two decimals ("1.5"); a size that Prism Central
// does not tell gives the constant.
func instanceType(kind config.InstanceType, vm nutanix.VM) string {
	vcpus := vm.Sockets * max(vm.CoresPerSocket, 1) * max(vm.ThreadsPerCore, 1)
	if kind != config.InstanceTypeSize || vcpus < 1 || vm.MemoryBytes < 1 {
		return constantType
	}
	gib := math.Round(float64(vm.MemoryBytes)/(1<<30)*100) / 100
	return fmt.Sprintf("ahv-%dc-%sg", vcpus, strconv.FormatFloat(gib, 'f', -1, 64))
}
