package admission_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

const uuid = "0a1b2c3d-4e5f-6789-abcd-ef0123456789"

// TestRefused checks that the schema, a CEL rule or a webhook rejects invalid objects with a message that names the field.
func TestRefused(t *testing.T) {
	ns := namespace(t)
	withMachine := func(change func(*infrav1.NutanixMachineSpec)) client.Object {
		m := machine(ns)
		change(&m.Spec)
		return m
	}
	withTemplate := func(change func(*infrav1.NutanixMachineSpec)) client.Object {
		template := machineTemplate(ns)
		change(&template.Spec.Template.Spec)
		return template
	}
	withCluster := func(change func(*infrav1.NutanixClusterSpec)) client.Object {
		c := cluster(ns)
		change(&c.Spec)
		return c
	}
	withDomain := func(change func(*infrav1.NutanixFailureDomainSpec)) client.Object {
		d := failureDomain(ns)
		change(&d.Spec)
		return d
	}
	type m = infrav1.NutanixMachineSpec
	type c = infrav1.NutanixClusterSpec
	type d = infrav1.NutanixFailureDomainSpec
	two := []infrav1.NutanixResourceIdentifier{byName("n"), byName("n")}
	for name, tc := range map[string]struct {
		object client.Object
		want   string
	}{
		"memory":             {withMachine(func(s *m) { s.MemorySize = resource.MustParse("1Gi") }), `spec.memorySize: Invalid value: "1Gi": must be at least 2Gi`},
		"memory in template": {withTemplate(func(s *m) { s.MemorySize = resource.MustParse("1Gi") }), `spec.template.spec.memorySize: Invalid value: "1Gi": must be at least 2Gi`},
		"VM in template":     {withTemplate(func(s *m) { s.ProviderID = "nutanix://" + uuid }), "spec.template.spec.providerID: Invalid value"},
		"system disk":        {withMachine(func(s *m) { s.SystemDiskSize = resource.MustParse("10Gi") }), "spec.systemDiskSize: Invalid value"},
		"sockets":            {withMachine(func(s *m) { s.VCPUSockets = 0 }), "spec.vcpuSockets"},
		"boot type":          {withMachine(func(s *m) { s.BootType = "bios" }), "spec.bootType: Unsupported value"},
		"no image":           {withMachine(func(s *m) { s.Image = nil }), "set exactly one of image and imageLookup"},
		"two images":         {withMachine(func(s *m) { s.ImageLookup = &infrav1.NutanixImageLookup{BaseOS: "u"} }), "set exactly one of image and imageLookup"},
		"image by both":      {withMachine(func(s *m) { s.Image.UUID = ptr.To(uuid) }), "spec.image: Invalid value"},
		"image name unset":   {withMachine(func(s *m) { s.Image.Name = nil }), "set name if, and only if, type is name"},
		"image UUID":         {withMachine(func(s *m) { s.Image = &infrav1.NutanixResourceIdentifier{Type: "uuid", UUID: ptr.To("abc")} }), "spec.image.uuid"},
		"look-up": {withMachine(func(s *m) {
			s.Image, s.ImageLookup = nil, &infrav1.NutanixImageLookup{BaseOS: "u", Format: ptr.To("(")}
		}), "spec.imageLookup.format: Invalid value"},
		"subnet twice":      {withMachine(func(s *m) { s.Subnets = two }), "spec.subnet: Invalid value"},
		"subnet UUID twice": {withMachine(func(s *m) { s.Subnets = sameSubnets() }), "spec.subnet[1]: Duplicate value"},
		"category":          {withMachine(func(s *m) { s.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "k"}} }), "spec.categories[0].value: Required value"},
		"reserved category": {withMachine(func(s *m) {
			s.AdditionalCategories = []infrav1.NutanixCategoryIdentifier{{Key: infrav1.CategoryKey, Value: "v"}}
		}), "spec.additionalCategories[0].key: Forbidden"},
		"GPU":             {withMachine(func(s *m) { s.GPUs = []infrav1.NutanixGPU{{Type: "name"}} }), "spec.gpus[0].name: Required value"},
		"data disk size":  {withMachine(func(s *m) { s.DataDisks = dataDisks("SCSI", 0); s.DataDisks[0].DiskSize = resource.MustParse("1M") }), "spec.dataDisks[0].diskSize: Invalid value"},
		"data disk bus":   {withMachine(func(s *m) { s.DataDisks = dataDisks("SPAPR", 0) }), "spec.dataDisks[0].deviceProperties.adapterType: Invalid value"},
		"data disk slot":  {withMachine(func(s *m) { s.DataDisks = dataDisks("IDE", 3) }), "spec.dataDisks[0].deviceProperties.deviceIndex: Invalid value"},
		"data disk index": {withMachine(func(s *m) { s.DataDisks = dataDisks("IDE", -1) }), "spec.dataDisks[0].deviceProperties.deviceIndex"},

		"endpoint":         {withCluster(func(s *c) { s.ControlPlaneEndpoint.Port = 0 }), "spec.controlPlaneEndpoint.port: Required value"},
		"no Prism":         {withCluster(func(s *c) { s.PrismCentral = nil }), "spec.prismCentral: Required value"},
		"Prism address":    {withCluster(func(s *c) { s.PrismCentral.Address = "https://prism" }), "spec.prismCentral.address: Invalid value"},
		"Prism port":       {withCluster(func(s *c) { s.PrismCentral.Port = 99999 }), "spec.prismCentral.port: Invalid value"},
		"credentials":      {withCluster(func(s *c) { s.PrismCentral.CredentialRef = nil }), "spec.prismCentral.credentialRef: Required value"},
		"two domain kinds": {withCluster(func(s *c) { s.FailureDomains, s.ControlPlaneFailureDomains = domains("a", "n"), references("b") }), "set either failureDomains or controlPlaneFailureDomains, not both"},
		"domain name":      {withCluster(func(s *c) { s.FailureDomains = domains("A", "n") }), "spec.failureDomains[0].name: Invalid value"},
		"metro":            {withCluster(func(s *c) { s.ControlPlaneFailureDomains = references("NutanixMetro/m") }), "spec.controlPlaneFailureDomains[0].name: Invalid value"},
		"backend secret":   {withCluster(func(s *c) { s.Terraform = backend("s3", "secret_key") }), "spec.terraform.backend.config[secret_key]: Forbidden"},
		"backend type":     {withCluster(func(s *c) { s.Terraform = backend("local", "path") }), "spec.terraform.backend.type: Invalid value"},
		"drift": {withCluster(func(s *c) {
			s.Terraform = &infrav1.TerraformSpec{Drift: &infrav1.TerraformDrift{IntervalSeconds: ptr.To[int32](1)}}
		}), "spec.terraform.drift.intervalSeconds"},

		"domain without subnet": {withDomain(func(s *d) { s.Subnets = nil }), "spec.subnets"},
		"domain subnet twice":   {withDomain(func(s *d) { s.Subnets = two }), "spec.subnets: Invalid value"},
		"domain Prism Element":  {withDomain(func(s *d) { s.PrismElementCluster.Name = nil }), "spec.prismElementCluster: Invalid value"},
	} {
		t.Run(name, func(t *testing.T) {
			err := api.Create(t.Context(), tc.object)
			require.Error(t, err)
			assert.Contains(t, err.Error(), tc.want)
			assert.NotContains(t, err.Error(), "hush", "a secret must not be repeated")
		})
	}
}

func sameSubnets() []infrav1.NutanixResourceIdentifier {
	return []infrav1.NutanixResourceIdentifier{
		{Type: infrav1.NutanixIdentifierUUID, UUID: ptr.To(uuid)},
		{Type: infrav1.NutanixIdentifierUUID, UUID: ptr.To("0A1B2C3D-4E5F-6789-ABCD-EF0123456789")},
	}
}
