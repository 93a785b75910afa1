package vmm

import (
	"reflect"

	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// refuseWhileOn names a property that an update changes and that cannot change while the VM is on. The provider of
// Terraform switches the VM off for these properties. Changes that v3 refuses, too, are not checked here. If the VM is off
// or the change is allowed, refuseWhileOn returns an empty string.
func refuseWhileOn(m *model.VM, body *vmBody) string {
	if m.Power != wire.PowerOn {
		return ""
	}
	have := m.Live.Clone().Resources
	want := body.over(have)
	for _, property := range []struct {
		name string
		same bool
	}{
		{"numThreadsPerCore", *have.NumThreadsPerCore == *want.NumThreadsPerCore},
		{"numNumaNodes", *have.VnumaConfig == *want.VnumaConfig},
		{"isCpuPassthroughEnabled", *have.EnableCPUPassthrough == *want.EnableCPUPassthrough},
		{"isVcpuHardPinningEnabled", *have.IsVCPUHardPinned == *want.IsVCPUHardPinned},
		{"vtpmConfig", *have.VTPMConfig == *want.VTPMConfig},
		{"numSockets", *have.NumSockets == *want.NumSockets || further(m, "isCpuHotplugEnabled", true) == true},
		{"isCpuHotplugEnabled", sameFurther(m, body, "isCpuHotplugEnabled", true)},
		{"enabledCpuFeatures", sameFurther(m, body, "enabledCpuFeatures", nil)},
	} {
		if !property.same {
			return property.name + " cannot be changed"
		}
	}
	return ""
}

// further returns a property that only the v4 API has, or the default if it is not set.
func further(m *model.VM, name string, other any) any {
	if value, set := m.V4.Further[name]; set {
		return value
	}
	return other
}

func sameFurther(m *model.VM, body *vmBody, name string, other any) bool {
	want, sent := body.Further[name]
	return !sent || reflect.DeepEqual(want, further(m, name, other))
}
