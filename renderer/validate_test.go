package renderer_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/renderer"
)

func TestRenderMachineRefusesInvalidInputs(t *testing.T) {
	tests := map[string]struct {
		change func(*renderer.Machine)
		want   string
	}{
		"no name":                   {func(m *renderer.Machine) { m.Name = "" }, "name must not be empty"},
		"name not UTF-8":            {func(m *renderer.Machine) { m.Name = "a\xff" }, "name is not UTF-8"},
		"name not normalised":       {func(m *renderer.Machine) { m.Name = "e\u0301" }, "name is not in Unicode normal form C"},
		"description":               {func(m *renderer.Machine) { m.Description = "\xff" }, "description is not UTF-8"},
		"Prism Element":             {func(m *renderer.Machine) { m.PrismElement.UUID = "pe1" }, `prismElement.uuid must be a UUID, not "pe1"`},
		"UUID with a newline":       {func(m *renderer.Machine) { m.PrismElement.UUID = elementUUID + "\n" }, "prismElement.uuid must be a UUID"},
		"project":                   {func(m *renderer.Machine) { m.Project = &renderer.Ref{Name: "p"} }, "project.uuid must be a UUID"},
		"no subnet":                 {func(m *renderer.Machine) { m.Subnets = nil }, "subnets must name at least one subnet"},
		"subnet":                    {func(m *renderer.Machine) { m.Subnets[0].UUID = "x" }, "subnets[0].uuid must be a UUID"},
		"sockets":                   {func(m *renderer.Machine) { m.Sockets = 0 }, "sockets must be at least 1"},
		"vCPUs":                     {func(m *renderer.Machine) { m.VCPUsPerSocket = -1 }, "vcpusPerSocket must be at least 1"},
		"memory":                    {func(m *renderer.Machine) { m.MemoryMiB = 0 }, "memoryMiB must be at least 1"},
		"boot type":                 {func(m *renderer.Machine) { m.BootType = "uefi" }, `bootType must be one of LEGACY, UEFI, not "uefi"`},
		"no disk":                   {func(m *renderer.Machine) { m.Disks = nil }, "disks must contain at least the system disk"},
		"disk without content":      {func(m *renderer.Machine) { m.Disks[0].SizeMiB, m.Disks[0].Image = 0, nil }, "disks[0].sizeMiB must be above 0"},
		"negative size":             {func(m *renderer.Machine) { m.Disks[0].SizeMiB = -1 }, "disks[0].sizeMiB must not be negative"},
		"image":                     {func(m *renderer.Machine) { m.Disks[0].Image.UUID = "ubuntu" }, "disks[0].image.uuid must be a UUID"},
		"storage container":         {func(m *renderer.Machine) { m.Disks[0].StorageContainer = &renderer.Ref{} }, "disks[0].storageContainer.uuid must be a UUID"},
		"flash mode":                {func(m *renderer.Machine) { m.Disks[0].FlashMode = true }, "disks[0].flashMode needs a storageContainer"},
		"two disks at an address":   {func(m *renderer.Machine) { m.Disks = append(m.Disks, m.Disks[0]) }, "disks[1].index means SCSI.0, which is already used by disks[0]"},
		"the address of cloud-init": {func(m *renderer.Machine) { m.Disks = append(m.Disks, cdrom("IDE", 3)) }, "disks[1].index means IDE.3"},
		"GPU vendor":                {func(m *renderer.Machine) { m.GPUs = []renderer.GPU{{Mode: "VIRTUAL", DeviceID: 1}} }, "gpus[0].vendor must not be empty"},
		"GPU mode":                  {func(m *renderer.Machine) { m.GPUs = []renderer.GPU{{Vendor: "AMD", Mode: "x", DeviceID: 1}} }, "gpus[0].mode must be one of"},
		"GPU device":                {func(m *renderer.Machine) { m.GPUs = []renderer.GPU{{Vendor: "AMD", Mode: "VIRTUAL"}} }, "gpus[0].deviceID must be above 0"},
		"category key":              {func(m *renderer.Machine) { m.Categories = map[string]string{"": "v"} }, `categories key "" must not be empty`},
		"category value":            {func(m *renderer.Machine) { m.Categories = map[string]string{"k": ""} }, `categories["k"] must not be empty`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			workspace, err := renderer.RenderMachine(settings(), machine(test.change))
			require.ErrorIs(t, err, renderer.ErrInvalidInput)
			assert.ErrorContains(t, err, test.want)
			assert.Zero(t, workspace)
		})
	}
}

func TestRenderMachineRefusesInputsOfTheOtherAPI(t *testing.T) {
	unknown := settings()
	unknown.API = "v5"
	refs := []renderer.Ref{{UUID: categoryUUID}}
	for name, test := range map[string]struct {
		settings renderer.Settings
		change   func(*renderer.Machine)
		want     string
	}{
		"unknown API":            {unknown, func(*renderer.Machine) {}, `api must be one of v3, v4, not "v5"`},
		"references in v3":       {settings(), func(m *renderer.Machine) { m.CategoryRefs = refs }, "categoryRefs must be empty with the v3 API"},
		"keys in v4":             {settingsV4(), func(m *renderer.Machine) { m.Categories = map[string]string{"k": "v"} }, "categories must be empty with the v4 API"},
		"reference without UUID": {settingsV4(), func(m *renderer.Machine) { m.CategoryRefs = []renderer.Ref{{Name: "k: v"}} }, "categoryRefs[0].uuid must be a UUID"},
		"secure boot in v3":      {settings(), func(m *renderer.Machine) { m.BootType = renderer.BootSecure }, "bootType must be one of LEGACY, UEFI, not"},
		"boot type in v4":        {settingsV4(), func(m *renderer.Machine) { m.BootType = "BIOS" }, "bootType must be one of LEGACY, UEFI, SECURE_BOOT, not"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := renderer.RenderMachine(test.settings, machine(test.change))
			require.ErrorIs(t, err, renderer.ErrInvalidInput)
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestRenderMachineReportsAllProblems(t *testing.T) {
	_, err := renderer.RenderMachine(settings(), machine(func(m *renderer.Machine) { m.Sockets, m.MemoryMiB = 0, 0 }))
	assert.ErrorContains(t, err, `machine "worker-1"`)
	assert.ErrorContains(t, err, "sockets must")
	assert.ErrorContains(t, err, "memoryMiB must")

	var input *renderer.InputError
	require.ErrorAs(t, err, &input)
	assert.Equal(t, "sockets", input.Field)
}

func TestRenderRefusesInvalidSettings(t *testing.T) {
	tests := map[string]struct {
		settings renderer.Settings
		want     string
	}{
		"no version":         {renderer.Settings{Backend: settings().Backend}, "providerVersion must be an exact version"},
		"version constraint": {renderer.Settings{ProviderVersion: ">= 1.9", Backend: settings().Backend}, "providerVersion must be an exact version"},
		"no backend":         {renderer.Settings{ProviderVersion: "1.9.5"}, "backend.type must be the name"},
		"backend":            {backend("x\" {", nil), "backend.type must be the name"},
		"argument":           {backend("http", map[string]string{"a b": "c"}), `backend.config["a b"] is not an argument`},
		"two dots":           {backend("s3", map[string]string{"a.b.c": "d"}), "is not an argument of a backend"},
		"twice":              {backend("s3", map[string]string{"a.b": "c", "a": "d"}), `backend.config["a.b"] conflicts with the argument "a"`},
		"value":              {backend("http", map[string]string{"address": "\xff"}), `backend.config["address"] is not UTF-8`},
		"password":           {backend("http", map[string]string{"password": "hunter2"}), `backend.config["password"] holds a secret`},
		"nested secret":      {backend("s3", map[string]string{"assume.token": "hunter2"}), `backend.config["assume.token"] holds a secret`},
		"password in a URL":  {backend("pg", map[string]string{"conn_str": "postgres://me:hunter2@db/states"}), `backend.config["conn_str"] holds a secret`},
		"password in words":  {backend("pg", map[string]string{"conn_str": "host=db password=hunter2"}), `backend.config["conn_str"] holds a secret`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := renderer.RenderMachine(test.settings, minimalMachine())
			require.ErrorIs(t, err, renderer.ErrInvalidInput)
			assert.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "hunter2", "an error must not repeat a secret")
		})
	}
}

func TestRenderAcceptsValidSettings(t *testing.T) {
	for name, config := range map[string]map[string]string{
		"URL without a password": {"conn_str": "postgres://me@db:5432/states"},
		"URL with a port":        {"address": "https://state.example.com:8443/a@b"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := renderer.RenderMachine(backend("http", config), minimalMachine())
			assert.NoError(t, err)
		})
	}
}

func TestRenderClusterRefusesInvalidInputs(t *testing.T) {
	for name, test := range map[string]struct {
		cluster renderer.Cluster
		want    string
	}{
		"no key":                {renderer.Cluster{CategoryValue: "v"}, "categoryKey must not be empty"},
		"no value":              {renderer.Cluster{CategoryKey: "k"}, "categoryValue must not be empty"},
		"value too long":        {renderer.Cluster{CategoryKey: "k", CategoryValue: strings.Repeat("a", 65)}, "categoryValue must have at most 64 characters, not 65"},
		"control plane with v3": {clusterWithControlPlane(), "controlPlane requires the v4 API"},
		"no control plane value": {renderer.Cluster{CategoryKey: "k", CategoryValue: "v", ControlPlane: &renderer.ControlPlane{CategoryKey: "c"}},
			"controlPlane.categoryValue must not be empty"},
		"same key": {renderer.Cluster{CategoryKey: "k", CategoryValue: "v", ControlPlane: &renderer.ControlPlane{CategoryKey: "k", CategoryValue: "w"}},
			"controlPlane.categoryKey must not be the key of the cluster's category"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := renderer.RenderCluster(settings(), test.cluster)
			require.ErrorIs(t, err, renderer.ErrInvalidInput)
			assert.ErrorContains(t, err, test.want)
		})
	}
}

// TestRenderClusterReportsProblemsInStableOrder proves that the text of an error stays the same if the inputs stay the same. The text is
// written to a condition, and a changed text would update the object.
func TestRenderClusterReportsProblemsInStableOrder(t *testing.T) {
	for range 20 {
		_, err := renderer.RenderCluster(settings(), renderer.Cluster{})
		require.EqualError(t, err, "rendering workspace of cluster category: "+
			"invalid input: categoryKey must not be empty\ninvalid input: categoryValue must not be empty")
	}
}
