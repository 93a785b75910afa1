package nutanixmachinetemplate

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/api/resource"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func TestCapacity(t *testing.T) {
	for name, tc := range map[string]struct {
		spec infrav1.NutanixMachineSpec
		want map[string]string
	}{
		"sockets times cores": {
			spec: infrav1.NutanixMachineSpec{VCPUSockets: 4, VCPUsPerSocket: 2, MemorySize: resource.MustParse("8Gi")},
			want: map[string]string{"cpu": "8", "memory": "8Gi"},
		},
		"as many GPUs as are listed": {
			spec: infrav1.NutanixMachineSpec{
				VCPUSockets: 1, VCPUsPerSocket: 1, MemorySize: resource.MustParse("2048Mi"),
				GPUs: []infrav1.NutanixGPU{{Type: infrav1.NutanixGPUIdentifierName}, {Type: infrav1.NutanixGPUIdentifierDeviceID}},
			},
			want: map[string]string{"cpu": "1", "memory": "2Gi", "nvidia.com/gpu": "2"},
		},
		"beyond 32 bits": {
			spec: infrav1.NutanixMachineSpec{VCPUSockets: 65536, VCPUsPerSocket: 65536, MemorySize: resource.MustParse("1")},
			want: map[string]string{"cpu": "4294967296", "memory": "1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[string]string{}
			for name, quantity := range capacity(tc.spec) {
				got[string(name)] = quantity.String()
			}
			assert.Equal(t, tc.want, got)
		})
	}
}
