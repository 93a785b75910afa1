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

func TestValidateMachine(t *testing.T) {
	type spec = infrav1.NutanixMachineSpec
	for name, tc := range map[string]struct {
		change func(*spec)
		want   []string
	}{
		"valid":                     {func(*spec) {}, nil},
		"smallest":                  {func(s *spec) { s.MemorySize, s.SystemDiskSize = resource.MustParse("2Gi"), resource.MustParse("20Gi") }, nil},
		"without placement":         {func(s *spec) { s.Cluster, s.Subnets = infrav1.NutanixResourceIdentifier{}, nil }, nil},
		"placeholder provider ID":   {func(s *spec) { s.ProviderID = "nutanix://my-cluster-m1" }, nil},
		"memory too small":          {func(s *spec) { s.MemorySize = resource.MustParse("2047Mi") }, []string{"spec.memorySize:at least 2Gi"}},
		"system disk too small":     {func(s *spec) { s.SystemDiskSize = resource.MustParse("20G") }, []string{"spec.systemDiskSize:at least 20Gi"}},
		"no CPU":                    {func(s *spec) { s.VCPUSockets, s.VCPUsPerSocket = 0, -1 }, []string{"spec.vcpuSockets:at least 1", "spec.vcpusPerSocket:at least 1"}},
		"unknown boot type":         {func(s *spec) { s.BootType = "bios" }, []string{"spec.bootType:legacy"}},
		"no image":                  {func(s *spec) { s.Image = nil }, []string{"spec.image:exactly one of image and imageLookup"}},
		"image and look-up":         {func(s *spec) { s.ImageLookup = &infrav1.NutanixImageLookup{BaseOS: "u"} }, []string{"spec.imageLookup:exactly one"}},
		"image name without name":   {func(s *spec) { s.Image.Name = nil }, []string{"spec.image.name:set the name"}},
		"image name with uuid":      {func(s *spec) { s.Image.UUID = ptr.To(vmUUID) }, []string{"spec.image.uuid:remove uuid"}},
		"image uuid without dashes": {func(s *spec) { s.Image = ptr.To(byUUID(strings.ReplaceAll(vmUUID, "-", ""))) }, []string{"spec.image.uuid:with dashes"}},
		"image without type":        {func(s *spec) { s.Image.Type = "" }, []string{"spec.image.type:set it to name or uuid"}},
		"cluster of unknown type":   {func(s *spec) { s.Cluster.Type = "id" }, []string{"spec.cluster.type:supported values"}},
		"project uuid with name": {func(s *spec) {
			s.Project = &infrav1.NutanixResourceIdentifier{Type: "uuid", UUID: ptr.To(vmUUID), Name: ptr.To("p")}
		}, []string{"spec.project.name:remove name"}},
		"subnet twice by name": {func(s *spec) { s.Subnets = append(s.Subnets, byName("vm-network")) }, []string{"spec.subnet[1]:Duplicate"}},
		"subnet twice by uuid, different case": {func(s *spec) {
			s.Subnets = []infrav1.NutanixResourceIdentifier{byUUID(vmUUID), byUUID(strings.ToUpper(vmUUID))}
		}, []string{"spec.subnet[1]:Duplicate"}},
		"subnet names differ in case": {func(s *spec) { s.Subnets = append(s.Subnets, byName("VM-network")) }, nil},
		"too many subnets":            {func(s *spec) { s.Subnets = manySubnets(33) }, []string{"spec.subnet:Too many"}},
		"bootstrap image":             {func(s *spec) { s.BootstrapRef = bootImage() }, nil},
		"bootstrap of unknown kind":   {func(s *spec) { s.BootstrapRef = &corev1.ObjectReference{Kind: "ConfigMap"} }, []string{"spec.bootstrapRef.kind:Secret", "spec.bootstrapRef.name:set the name"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine()
			tc.change(&m.Spec)
			assertErrors(t, tc.want, m.Validate())
		})
	}
}

// TestValidateMachineTemplateProviderID checks that a template is rejected if its provider ID contains the UUID of a
// VM. Every machine of such a template would import and later destroy the same VM.
func TestValidateMachineTemplateProviderID(t *testing.T) {
	for providerID, want := range map[string][]string{
		"":                                     nil,
		"nutanix://my-cluster-m1":              nil,
		"nutanix://" + infrav1.PlaceholderUUID: nil,
		"nutanix://" + vmUUID:                  {"spec.template.spec.providerID:leave it out"},
		"NUTANIX://" + strings.ToUpper(vmUUID): {"spec.template.spec.providerID:leave it out"},
	} {
		t.Run(providerID, func(t *testing.T) {
			template := &infrav1.NutanixMachineTemplate{}
			template.Spec.Template.Spec = machine().Spec
			template.Spec.Template.Spec.ProviderID = providerID
			assertErrors(t, want, template.Validate())
		})
	}
}

func manySubnets(count int) []infrav1.NutanixResourceIdentifier {
	subnets := make([]infrav1.NutanixResourceIdentifier, count)
	for i := range subnets {
		subnets[i] = byName("subnet-" + strings.Repeat("x", i))
	}
	return subnets
}

func TestValidateGPUs(t *testing.T) {
	for name, tc := range map[string]struct {
		gpu  infrav1.NutanixGPU
		want []string
	}{
		"by name":           {infrav1.NutanixGPU{Type: "name", Name: ptr.To("T4")}, nil},
		"by device ID":      {infrav1.NutanixGPU{Type: "deviceID", DeviceID: ptr.To[int64](7864)}, nil},
		"name missing":      {infrav1.NutanixGPU{Type: "name"}, []string{"spec.gpus[0].name:set the name"}},
		"device ID missing": {infrav1.NutanixGPU{Type: "deviceID"}, []string{"spec.gpus[0].deviceID:set the device ID"}},
		"name and ID":       {infrav1.NutanixGPU{Type: "name", Name: ptr.To("T4"), DeviceID: ptr.To[int64](1)}, []string{"spec.gpus[0].deviceID:remove deviceID"}},
		"ID and name":       {infrav1.NutanixGPU{Type: "deviceID", Name: ptr.To("T4"), DeviceID: ptr.To[int64](1)}, []string{"spec.gpus[0].name:remove name"}},
		"unknown type":      {infrav1.NutanixGPU{Type: "vendor"}, []string{"spec.gpus[0].type:supported values"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine()
			m.Spec.GPUs = []infrav1.NutanixGPU{tc.gpu}
			assertErrors(t, tc.want, m.Validate())
		})
	}
}

func TestMergedCategories(t *testing.T) {
	type list = []infrav1.NutanixCategoryIdentifier
	for name, tc := range map[string]struct {
		categories, additional, want list
		ambiguous                    string
	}{
		"none":         {nil, nil, nil, ""},
		"both lists":   {list{{Key: "Team", Value: "A"}}, list{{Key: "Env", Value: "Prod"}}, list{{Key: "Env", Value: "Prod"}, {Key: "Team", Value: "A"}}, ""},
		"same in both": {list{{Key: "Team", Value: "A"}}, list{{Key: "Team", Value: "A"}}, list{{Key: "Team", Value: "A"}}, ""},
		"two values":   {list{{Key: "Team", Value: "B"}}, list{{Key: "Team", Value: "A"}}, list{{Key: "Team", Value: "A"}, {Key: "Team", Value: "B"}}, "Team"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := infrav1.NutanixMachineSpec{Categories: tc.categories, AdditionalCategories: tc.additional}
			assert.Equal(t, tc.want, spec.MergedCategories())
			assert.Equal(t, tc.ambiguous, spec.AmbiguousCategory())
			assert.Equal(t, tc.categories, spec.Categories, "the spec does not change")
		})
	}
}

func TestValidateCategories(t *testing.T) {
	type list = []infrav1.NutanixCategoryIdentifier
	for name, tc := range map[string]struct {
		categories, additional list
		want                   []string
	}{
		"both lists":                   {list{{Key: "Environment", Value: "Production"}}, list{{Key: "Team", Value: "A"}}, nil},
		"same in both":                 {list{{Key: "Team", Value: "A"}}, list{{Key: "Team", Value: "A"}}, nil},
		"two values":                   {list{{Key: "Team", Value: "A"}}, list{{Key: "Team", Value: "B"}}, nil},
		"without key":                  {list{{Value: "A"}}, nil, []string{"spec.categories[0].key:set the key"}},
		"without value":                {nil, list{{Key: "A"}}, []string{"spec.additionalCategories[0].value:set the value"}},
		"the key of the control plane": {list{{Key: infrav1.ControlPlaneCategoryKey, Value: "c"}}, nil, []string{"spec.categories[0].key:controlPlaneAntiAffinity"}},
		"the key of the cluster":       {list{{Key: infrav1.CategoryKey, Value: "c"}}, nil, []string{"spec.categories[0].key:reserved"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine()
			m.Spec.Categories, m.Spec.AdditionalCategories = tc.categories, tc.additional
			assertErrors(t, tc.want, m.Validate())
		})
	}
}
