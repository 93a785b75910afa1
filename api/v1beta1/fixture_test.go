package v1beta1_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

const vmUUID = "0a1b2c3d-4e5f-6789-abcd-ef0123456789"

func byName(name string) infrav1.NutanixResourceIdentifier {
	return infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: ptr.To(name)}
}

func byUUID(uuid string) infrav1.NutanixResourceIdentifier {
	return infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierUUID, UUID: ptr.To(uuid)}
}

func machine() *infrav1.NutanixMachine {
	return &infrav1.NutanixMachine{
		ObjectMeta: metav1.ObjectMeta{Name: "worker", Namespace: "default"},
		Spec: infrav1.NutanixMachineSpec{
			VCPUsPerSocket: 1,
			VCPUSockets:    2,
			MemorySize:     resource.MustParse("4Gi"),
			SystemDiskSize: resource.MustParse("40Gi"),
			Image:          ptr.To(byName("ubuntu")),
			Cluster:        byName("pe-1"),
			Subnets:        []infrav1.NutanixResourceIdentifier{byName("vm-network")},
		},
	}
}

func cluster() *infrav1.NutanixCluster {
	return &infrav1.NutanixCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "c", Namespace: "default"},
		Spec: infrav1.NutanixClusterSpec{
			ControlPlaneEndpoint: infrav1.APIEndpoint{Host: "10.0.0.100", Port: 6443},
			PrismCentral: &infrav1.NutanixPrismEndpoint{
				Address:       "prism.example.com",
				Port:          9440,
				CredentialRef: &infrav1.NutanixCredentialReference{Kind: infrav1.NutanixCredentialKindSecret, Name: "creds"},
			},
		},
	}
}

func disk(device infrav1.NutanixMachineDiskDeviceType, adapter infrav1.NutanixMachineDiskAdapterType, index int32) infrav1.NutanixMachineVMDisk {
	d := infrav1.NutanixMachineVMDisk{
		DiskSize:         resource.MustParse("10Gi"),
		DeviceProperties: &infrav1.NutanixMachineVMDiskDeviceProperties{DeviceType: device, AdapterType: adapter, DeviceIndex: index},
	}
	if device == infrav1.NutanixMachineDiskDeviceTypeCDRom {
		d.DataSource = ptr.To(byName("iso"))
	}
	return d
}

func bootImage() *corev1.ObjectReference {
	return &corev1.ObjectReference{Kind: "Image", Name: "boot"}
}

// assertErrors checks that errs and want contain the same errors in the same order. An element of want has the format
// "<field>:<part of the message>".
func assertErrors(t *testing.T, want []string, errs field.ErrorList) {
	t.Helper()
	got := make([]string, len(errs))
	for i, err := range errs {
		got[i] = err.Field + ": " + err.ErrorBody()
	}
	require.Len(t, got, len(want), "got %q", got)
	for i := range want {
		path, words := splitWant(want[i])
		assert.Equal(t, path, errs[i].Field)
		assert.Contains(t, got[i], words)
	}
}

func splitWant(want string) (path, words string) {
	for i := range want {
		if want[i] == ':' {
			return want[:i], want[i+1:]
		}
	}
	return want, ""
}
