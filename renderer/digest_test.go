package renderer_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/renderer"
)

// TestDigestIsStable compares digests with those in the status of existing objects. If a digest changes here, an upgrade checks every
// existing object again. To fix this test, restore the JSON form of the inputs. If that is not possible, increase digestVersion.
func TestDigestIsStable(t *testing.T) {
	workspaces := goldenCases(t)
	for name, digest := range map[string]string{
		"minimal":         "v2:fb8fdb4be4fc613641ed9deadba56e70a943969c4218833ba7c7768220f2fd47",
		"full":            "v2:8bed34685cf1a150e03e2aaa1387d794a3a09aa949bed2be630fbbec7178b35f",
		"cdrom-bootstrap": "v2:9638ee1f00b60caacf1126bcd0526dd35ef554cb0860c3437614666a21749139",
		"backend-s3":      "v2:2f3124849e7ba0f830e45cc5d32959655b100ecf1dcc3a0c45c7b4ef3d243a97",
		"cluster":         "v2:339267a2bc4f1fe9b34dc10a8c89a48868e1073d0de252311ecccbc7e56022e6",
		"v4-minimal":      "v2:b9475178b43b82d29a6487dc463533f68769cc3029ecbbaa5cc3d1af20cefb8c",
		"v4-full":         "v2:784ad533e3b764802fc3e8861d407069cfe3348219e7702d95e7558d2fb54938",
		"v4-cluster":      "v2:97bd035006d3b2556cc6bdba83f9ca7a11b897f74f2c68e9fc3e42d0b6e4dde7",
	} {
		assert.Equal(t, digest, workspaces[name].Digest, name)
		assert.True(t, renderer.DigestIsCurrent(workspaces[name].Digest), name)
	}
}

func TestDigestDiffersForDifferentInputs(t *testing.T) {
	base, err := renderer.RenderMachine(settings(), minimalMachine())
	require.NoError(t, err)
	seen := map[string]string{base.Digest: "base"}
	for name, change := range map[string]func(*renderer.Settings, *renderer.Machine){
		"name":          func(_ *renderer.Settings, m *renderer.Machine) { m.Name = "worker-2" },
		"description":   func(_ *renderer.Settings, m *renderer.Machine) { m.Description = "key=1" },
		"Prism Element": func(_ *renderer.Settings, m *renderer.Machine) { m.PrismElement.UUID = imageUUID },
		"project":       func(_ *renderer.Settings, m *renderer.Machine) { m.Project = &renderer.Ref{UUID: projectUUID} },
		"subnet":        func(_ *renderer.Settings, m *renderer.Machine) { m.Subnets[0].UUID = imageUUID },
		"memory":        func(_ *renderer.Settings, m *renderer.Machine) { m.MemoryMiB++ },
		"sockets":       func(_ *renderer.Settings, m *renderer.Machine) { m.Sockets++ },
		"vCPUs":         func(_ *renderer.Settings, m *renderer.Machine) { m.VCPUsPerSocket++ },
		"boot type":     func(_ *renderer.Settings, m *renderer.Machine) { m.BootType = renderer.BootUEFI },
		"image":         func(_ *renderer.Settings, m *renderer.Machine) { m.Disks[0].Image.UUID = isoUUID },
		"disk size":     func(_ *renderer.Settings, m *renderer.Machine) { m.Disks[0].SizeMiB++ },
		"GPUs":          func(_ *renderer.Settings, m *renderer.Machine) { m.GPUs = gpus() },
		"categories":    func(_ *renderer.Settings, m *renderer.Machine) { m.Categories = map[string]string{"a": "b"} },
		"API":           func(s *renderer.Settings, _ *renderer.Machine) { s.API = renderer.APIV4 },
		"categories of v4": func(s *renderer.Settings, m *renderer.Machine) {
			s.API, m.CategoryRefs = renderer.APIV4, []renderer.Ref{{UUID: categoryUUID}}
		},
		"cloud-init":       func(_ *renderer.Settings, m *renderer.Machine) { m.CloudInit = false },
		"provider version": func(s *renderer.Settings, _ *renderer.Machine) { s.ProviderVersion = "2.4.2" },
		"backend type":     func(s *renderer.Settings, _ *renderer.Machine) { s.Backend.Type = "consul" },
		"backend":          func(s *renderer.Settings, _ *renderer.Machine) { s.Backend.Config["namespace"] = "other" },
	} {
		changedSettings, changed := settings(), minimalMachine()
		change(&changedSettings, &changed)
		workspace, err := renderer.RenderMachine(changedSettings, changed)
		require.NoError(t, err, name)
		assert.Empty(t, seen[workspace.Digest], "%s must have a digest of its own", name)
		seen[workspace.Digest] = name
	}
}

func TestDigestOfCluster(t *testing.T) {
	seen := map[string]bool{}
	cluster := clusterWithControlPlane()
	withoutPolicy := *cluster.ControlPlane
	withoutPolicy.AntiAffinity = false
	for _, controlPlane := range []*renderer.ControlPlane{nil, &withoutPolicy, cluster.ControlPlane} {
		cluster.ControlPlane = controlPlane
		workspace, err := renderer.RenderCluster(settingsV4(), cluster)
		require.NoError(t, err)
		assert.False(t, seen[workspace.Digest])
		seen[workspace.Digest] = true
	}
}

func TestDigestWithoutAPIMeansV3(t *testing.T) {
	base, err := renderer.RenderMachine(settings(), minimalMachine())
	require.NoError(t, err)
	named := settings()
	named.API = renderer.APIV3
	workspace, err := renderer.RenderMachine(named, minimalMachine())
	require.NoError(t, err)
	assert.Equal(t, base, workspace)
}

// TestDigestIgnoresOrderOfCategories proves that the digest and the files stay the same if Prism Central lists categories in another order.
func TestDigestIgnoresOrderOfCategories(t *testing.T) {
	machine := inV4(fullMachine())
	base, err := renderer.RenderMachine(settingsV4(), machine)
	require.NoError(t, err)
	slices.Reverse(machine.CategoryRefs)
	reversed := slices.Clone(machine.CategoryRefs)
	workspace, err := renderer.RenderMachine(settingsV4(), machine)
	require.NoError(t, err)
	assert.Equal(t, base, workspace)
	assert.Equal(t, reversed, machine.CategoryRefs, "rendering must not change its inputs")
}

// TestDigestIgnoresNames proves that the digest stays the same if an entity in Prism is renamed.
func TestDigestIgnoresNames(t *testing.T) {
	base, err := renderer.RenderMachine(settings(), fullMachine())
	require.NoError(t, err)
	renamed := fullMachine()
	assert.Equal(t, 8, rename(reflect.ValueOf(&renamed)), "references and GPUs of the full machine")
	workspace, err := renderer.RenderMachine(settings(), renamed)
	require.NoError(t, err)
	assert.NotEqual(t, base.Files["main.tf"], workspace.Files["main.tf"], "names are comments")
	assert.Equal(t, base.Digest, workspace.Digest)
	assert.Equal(t, "renamed", renamed.Disks[0].Image.Name, "rendering must not change its inputs")
}

// rename changes the names of all references and GPUs in value. It returns the number of changed names.
func rename(value reflect.Value) int {
	count := 0
	switch value.Kind() {
	case reflect.Pointer:
		if !value.IsNil() {
			count = rename(value.Elem())
		}
	case reflect.Slice:
		for i := range value.Len() {
			count += rename(value.Index(i))
		}
	case reflect.Struct:
		switch value.Interface().(type) {
		case renderer.Ref, renderer.GPU:
			value.FieldByName("Name").SetString("renamed")
			return 1
		}
		for i := range value.NumField() {
			count += rename(value.Field(i))
		}
	default:
	}
	return count
}

func TestDigestOfAnotherVersion(t *testing.T) {
	for digest, current := range map[string]bool{
		"": false,
		"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae":    false,
		"v1:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae": false,
		"v2:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae": true,
	} {
		assert.Equal(t, current, renderer.DigestIsCurrent(digest), digest)
	}
}

func TestInitKey(t *testing.T) {
	workspaces := goldenCases(t)
	key := func(name string) string { return renderer.InitKey(workspaces[name].Files) }
	assert.Equal(t, key("minimal"), key("full"), "the values of a machine are not read by init")
	seen := map[string]string{}
	for _, name := range []string{"minimal", "cluster", "backend-s3"} {
		assert.Empty(t, seen[key(name)], name)
		seen[key(name)] = name
	}
	files := maps.Clone(workspaces["minimal"].Files)
	for name := range files {
		if name == "versions.tf" || strings.HasPrefix(name, "modules/") {
			changed := maps.Clone(files)
			changed[name] = append([]byte("# "), files[name]...)
			assert.NotEqual(t, key("minimal"), renderer.InitKey(changed), name)
		}
	}
}
