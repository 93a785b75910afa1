package v1beta1_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/api/resource"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func TestDefaults(t *testing.T) {
	m := machine()
	m.Spec.Image, m.Spec.ImageLookup = nil, &infrav1.NutanixImageLookup{BaseOS: "u"}
	m.Spec.DataDisks = []infrav1.NutanixMachineVMDisk{{DiskSize: resource.MustParse("1Gi"), StorageConfig: &infrav1.NutanixMachineVMStorageConfig{}}}
	m.Spec.Default()
	assert.Equal(t, infrav1.DefaultImageLookupFormat, *m.Spec.ImageLookup.Format)
	assert.Equal(t, disk(hdd, "SCSI", 0).DeviceProperties, m.Spec.DataDisks[0].DeviceProperties)
	assert.Equal(t, infrav1.NutanixMachineDiskModeStandard, m.Spec.DataDisks[0].StorageConfig.DiskMode)

	once := m.DeepCopy()
	m.Spec.Default()
	assert.Equal(t, once, m, "defaulting twice changes nothing")

	c := cluster()
	c.Spec.PrismCentral.Port = 0
	c.Spec.Default()
	assert.Equal(t, infrav1.DefaultPrismPort, c.Spec.PrismCentral.Port)
	assert.Empty(t, c.Spec.PrismCentral.CredentialRef.Namespace)
}

func TestTemplatePlaceholders(t *testing.T) {
	template := &infrav1.NutanixMachineTemplate{}
	template.Spec.Template.Spec = machine().Spec
	template.Default()
	assert.False(t, template.HasPlaceholderImage())

	template.Spec.Template.Spec.Image = &infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName}
	template.Default()
	assert.True(t, template.HasPlaceholderImage())
	assertErrors(t, nil, template.Validate())

	template.Spec.Template.Spec.Image = &infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierUUID}
	template.Default()
	assert.True(t, template.HasPlaceholderImage())
	assertErrors(t, nil, template.Validate())
}

func TestIdentifierString(t *testing.T) {
	assert.Equal(t, `name "vm-network"`, byName("vm-network").String())
	assert.Equal(t, "uuid "+vmUUID, byUUID(vmUUID).String())
	assert.Equal(t, "nothing", infrav1.NutanixResourceIdentifier{}.String())
}
