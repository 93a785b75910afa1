package prism

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func gpuByName(name string) infrav1.NutanixGPU {
	return infrav1.NutanixGPU{Type: infrav1.NutanixGPUIdentifierName, Name: &name}
}

func gpuByID(id int64) infrav1.NutanixGPU {
	return infrav1.NutanixGPU{Type: infrav1.NutanixGPUIdentifierDeviceID, DeviceID: &id}
}

// TestGPUsAreOnOneHost checks that one host must have all GPUs. The v4 API does not return the hosts of GPUs.
func TestGPUsAreOnOneHost(t *testing.T) {
	for _, test := range []struct {
		requests []infrav1.NutanixGPU
		err      error
	}{
		{[]infrav1.NutanixGPU{gpuByID(7864), gpuByID(7864), gpuByID(7864)}, &UnavailableError{GPU: "deviceID 7864", PrismElement: uuid(1, 1), Want: 3, Free: 2}},
		{[]infrav1.NutanixGPU{gpuByName("GRID A100-10C"), gpuByID(5053)}, &UnavailableError{GPU: "deviceID 5053", PrismElement: uuid(1, 1), Want: 1, Free: 1}},
	} {
		_, err := newCentral(t).client(t).GPUs(t.Context(), test.requests, uuid(1, 1))
		assert.Equal(t, test.err, err)
	}
}

func TestGPUs(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		client := central.client(t)
		t4 := GPU{Name: "Tesla T4 compute", Vendor: "NVIDIA", Mode: GPUPassthroughCompute, DeviceID: 7864}
		m10 := GPU{Name: "Tesla M10 graphics", Vendor: "NVIDIA", Mode: GPUPassthroughGraphics, DeviceID: 5053}
		a100 := GPU{Name: "GRID A100-10C", Vendor: "NVIDIA", Mode: GPUVirtual, DeviceID: 557}
		kind := "GPU of Prism Element " + uuid(1, 1)
		for _, test := range []struct {
			name     string
			requests []infrav1.NutanixGPU
			want     []GPU
			err      error
		}{
			{"none", nil, nil, nil},
			{"by name", []infrav1.NutanixGPU{gpuByName("Tesla T4 compute")}, []GPU{t4}, nil},
			{"by device ID", []infrav1.NutanixGPU{gpuByID(5053)}, []GPU{m10}, nil},
			{"two of one host", []infrav1.NutanixGPU{gpuByName("Tesla T4 compute"), gpuByID(7864)}, []GPU{t4, t4}, nil},
			{"in the order of the requests", []infrav1.NutanixGPU{gpuByID(5053), gpuByID(7864)}, []GPU{m10, t4}, nil},
			{"virtual", []infrav1.NutanixGPU{gpuByName("GRID A100-10C")}, []GPU{a100}, nil},
			{"in use", []infrav1.NutanixGPU{gpuByName("GRID A100-20C")}, nil, &UnavailableError{GPU: `name "GRID A100-20C"`, PrismElement: uuid(1, 1), Want: 1}},
			{
				"more than there are", []infrav1.NutanixGPU{gpuByID(5053), gpuByID(5053)}, nil,
				&UnavailableError{GPU: "deviceID 5053", PrismElement: uuid(1, 1), Want: 2, Free: 1},
			},
			{"unknown", []infrav1.NutanixGPU{gpuByName("Voodoo 2")}, nil, &NotFoundError{kind, `name "Voodoo 2"`}},
			{"of another Prism Element", []infrav1.NutanixGPU{gpuByName("L40S")}, nil, &NotFoundError{kind, `name "L40S"`}},
			{
				"neither", []infrav1.NutanixGPU{gpuByID(1), {Type: infrav1.NutanixGPUIdentifierName}}, nil,
				&InvalidError{"gpus[1]", `type must be "name" or "deviceID", and the field of that name must be set`},
			},
		} {
			t.Run(test.name, func(t *testing.T) {
				got, err := client.GPUs(t.Context(), test.requests, uuid(1, 1))
				assert.Equal(t, test.want, got)
				if test.err == nil {
					require.NoError(t, err)
				} else {
					assert.Equal(t, test.err, err)
				}
			})
		}
		got, err := client.GPUs(t.Context(), []infrav1.NutanixGPU{gpuByID(9907), gpuByID(9907), gpuByID(9907), gpuByID(9907)}, uuid(1, 2))
		require.NoError(t, err)
		assert.Len(t, got, 4)
	})
}
