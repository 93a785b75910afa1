package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/provider"
)

// lines returns the changes of a record as lines of text.
func lines(record Record) []string {
	var text []string
	show := func(value *string) string {
		if value == nil {
			return "-"
		}
		return *value
	}
	for _, change := range record.Changes {
		line := fmt.Sprintf("%s %v %s", change.Address, change.Actions, change.Disruption)
		for _, extra := range []string{change.Reason, change.ImportID, change.PreviousAddress, strings.Join(change.ReplacePaths, ",")} {
			if extra != "" {
				line += " (" + extra + ")"
			}
		}
		text = append(text, line)
		for _, attribute := range change.Attributes {
			after := show(attribute.After)
			if attribute.Unknown {
				after += "?"
			}
			text = append(text, fmt.Sprintf("  %s: %s -> %s", attribute.Path, show(attribute.Before), after))
		}
	}
	return text
}

func TestRecordsOfRealPlans(t *testing.T) {
	const machine = "module.machine.nutanix_virtual_machine.this"
	for name, want := range map[string][]string{
		"create": {
			machine + " [create] None",
			"  categories[0].name: - -> Environment",
			"  categories[0].value: - -> Testing",
			"  cluster_uuid: - -> 3d900445-cfe2-5ae4-8245-3c0e87cb2680",
			"  description: - -> the mark",
			"  disk_list[0].data_source_reference.uuid: - -> cfb6c326-894a-54ad-bd8a-a12c9f33da39",
			"  disk_list[0].device_properties[0].device_type: - -> DISK",
			"  disk_list[0].device_properties[0].disk_address.adapter_type: - -> SCSI",
			"  disk_list[0].device_properties[0].disk_address.device_index: - -> 0",
			"  disk_list[0].disk_size_mib: - -> 40960",
			"  guest_customization_cloud_init_meta_data: - -> (sensitive value ba9876543210)",
			"  guest_customization_cloud_init_user_data: - -> (sensitive value 0123456789ab)",
			"  hardware_clock_timezone: - -> UTC",
			"  memory_size_mib: - -> 4096",
			"  name: - -> machine",
			"  nic_list[0].is_connected: - -> true",
			"  nic_list[0].subnet_uuid: - -> 547fd76c-6864-5bc7-9828-89f27a212deb",
			"  num_sockets: - -> 2",
			"  num_vcpus_per_socket: - -> 1",
			"  use_hot_add: - -> true",
		},
		"update": {
			machine + " [update] PowerCycle",
			"  memory_size_mib: 4096 -> 8192",
			"  description: the mark -> x",
		},
		"import": {
			machine + " [import update] PowerCycle (b6e78976-9d97-4735-90b3-f6be44fe8268)",
			"  memory_size_mib: 4096 -> 8192",
			"  description: the mark -> x",
		},
		"delete": {
			machine + " [delete] Destroy",
			"  categories[0].name: Environment -> -",
			"  categories[0].value: Testing -> -",
			"  cluster_uuid: 3d900445-cfe2-5ae4-8245-3c0e87cb2680 -> -",
			"  description: the mark -> -",
			"  disk_list[0].disk_size_mib: 40960 -> -",
			"  disk_list[0].uuid: f7dc1694-d47b-44d0-9ecb-3eec5663df3e -> -",
			"  id: b6e78976-9d97-4735-90b3-f6be44fe8268 -> -",
			"  memory_size_mib: 4096 -> -",
			"  name: machine -> -",
			"  nic_list[0].ip_endpoint_list[0].ip: 127.42.1.10 -> -",
			"  nic_list[0].subnet_uuid: 547fd76c-6864-5bc7-9828-89f27a212deb -> -",
			"  num_sockets: 2 -> -",
			"  num_vcpus_per_socket: 1 -> -",
			"  project_reference.uuid: 1a02b6fa-3244-5bb2-afc7-a99681d3efcf -> -",
		},
	} {
		t.Run(name, func(t *testing.T) {
			record := Build(machineOrigin(t), []byte("file"), planOf(t, encoded(t, readDocument(t, name))))
			assert.Equal(t, want, lines(record))
			spec := record.Spec()
			spec.Signature, spec.File.SecretName = "hmac-sha256:"+digest(nil), "prod-md-0-9d8v2-9f2c1a-04ac"
			content, err := json.Marshal(spec)
			require.NoError(t, err)
			t.Logf("%d bytes", len(content))
			assert.Less(t, len(content), 2600, "a plan is small, because the API server stores several for each machine")
		})
	}
}

func TestRecordContainsEverythingThatAPlanCanDo(t *testing.T) {
	record := Build(machineOrigin(t), []byte("file"), planOf(t, encoded(t, rich(t))))
	assert.Equal(t, Counts{Create: 1, Update: 2, Replace: 1, Delete: 2, Import: 1, Forget: 1, Other: 8}, record.Counts)
	assert.Zero(t, record.Omitted)
	all := lines(record)
	text := strings.Join(all, "\n")
	assert.True(t, slices.IsSortedFunc(record.Changes, func(a, b Change) int { return int(b.Disruption - a.Disruption) }))
	for _, want := range []string{
		"module.machine.nutanix_virtual_machine.replace [replace] Replace (boot_type)",
		"nutanix_category_value.moved [move] None (nutanix_category_value.old)",
		"nutanix_category_key.forgotten [forget] None\n  id: k -> -\n  name: k -> -",
		"nutanix_category_key.deposed [delete] Destroy (deposed object 0a1b2c3d)\n  id: d -> -\n  name: d -> -",
		"output.created [create] None\n  value: - -> x",
		"output.updated [update] None\n  value: [\"a\",\"b\"] -> [\"a\",\"c\"]",
		"output.vm_uuid [update] None\n  value: u -> -?",
		"output.deleted [delete] None",
		"nutanix_category_value.deferred [defer] None (provider_config_unknown)\n  name: - -> k\n  value: - -> v",
		"action.nutanix_power.reboot [invoke] Replace (AfterUpdate module.machine.nutanix_virtual_machine.update)\n  force: - -> true\n  mode: - -> hard\n  uuid: - -> -?",
	} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "output.unchanged")
}

func TestReplacementListsWhatChanges(t *testing.T) {
	change := resource(vm, tfjson.ActionDelete, tfjson.ActionCreate).Change
	change.Before = map[string]any{"id": "u", "boot_type": "LEGACY", "guest_os_id": "x", "memory_size_mib": 1.0, "name": "a"}
	change.After = map[string]any{"memory_size_mib": 2.0, "name": "a"}
	change.AfterUnknown = map[string]any{"id": true, "boot_type": true, "guest_os_id": true}
	change.ReplacePaths = []any{[]any{"boot_type"}, []any{"disk_list", json.Number("0"), "disk_size_mib"}}
	record := Build(machineOrigin(t), nil, planned(&tfjson.ResourceChange{Address: vm, Type: "nutanix_virtual_machine", Change: change}))
	assert.Equal(t, []string{
		vm + " [replace] Replace (boot_type,disk_list[0].disk_size_mib)",
		"  boot_type: LEGACY -> -?",
		"  memory_size_mib: 1 -> 2",
	}, lines(record))
}

func TestPartlyUnknownValue(t *testing.T) {
	update := resource(vm, tfjson.ActionUpdate)
	update.Change.Before = map[string]any{"disk_list": []any{map[string]any{"uuid": "a"}}}
	update.Change.After = map[string]any{"disk_list": []any{map[string]any{"uuid": "a"}, map[string]any{"disk_size_mib": json.Number("5")}}}
	update.Change.AfterUnknown = map[string]any{"disk_list": []any{map[string]any{}, map[string]any{"uuid": true}}}
	record := Build(machineOrigin(t), nil, planned(update))
	assert.Equal(t, []string{
		vm + " [update] PowerCycle",
		`  disk_list: [{"uuid":"a"}] -> [{"uuid":"a"},{"disk_size_mib":5,"uuid":"(known after apply)"}]?`,
	}, lines(record))
}

// TestChangedSecretIsVisible proves that a record shows that a secret changes, and that digests do not depend on the secret or on the key
// of the fingerprints.
func TestChangedSecretIsVisible(t *testing.T) {
	build := func(before, after string) Record {
		update := resource(vm, tfjson.ActionUpdate)
		update.Change.Before = map[string]any{"name": "a", "ngt_credentials": before}
		update.Change.After = map[string]any{"name": "b", "ngt_credentials": after}
		return Build(machineOrigin(t), nil, planned(update))
	}
	same := build("(sensitive value 0123456789ab)", "(sensitive value 0123456789ab)")
	first := build("(sensitive value 0123456789ab)", "(sensitive value aaaaaaaaaaaa)")
	second := build("(sensitive value bbbbbbbbbbbb)", "(sensitive value cccccccccccc)")
	withoutKey := build("(sensitive value)", "(sensitive value that changes)")
	assert.Contains(t, lines(first), "  ngt_credentials: (sensitive value 0123456789ab) -> (sensitive value aaaaaaaaaaaa)")
	assert.Equal(t, first.ChangeDigest, second.ChangeDigest)
	assert.Equal(t, first.ChangeDigest, withoutKey.ChangeDigest)
	assert.NotEqual(t, first.ChangeDigest, same.ChangeDigest)
	assert.NotContains(t, strings.Join(lines(same), "\n"), "ngt_credentials")
	assert.NotEqual(t, first.ChangeDigest, build(`"(sensitive value 0123456789ab)"`, "(sensitive value aaaaaaaaaaaa)").ChangeDigest,
		"package terraform quotes a value that only looks like a mark")
}

// long returns a plan with many changes, each with many attributes and long values. value is the value of the last attribute.
func long(changes int, value string) *tfjson.Plan {
	var all []*tfjson.ResourceChange
	for i := range changes {
		after := map[string]any{}
		for j := range 100 {
			after[fmt.Sprintf("attribute_%03d", j)] = strings.Repeat("ü", 300)
		}
		if i == changes-1 {
			after["attribute_099"] = strings.Repeat("ü", 300) + value
		}
		address := fmt.Sprintf("module.x.nutanix_virtual_machine.this[%q]", fmt.Sprintf("%03d", i)+strings.Repeat("k", 600))
		all = append(all, &tfjson.ResourceChange{Address: address, Type: "nutanix_virtual_machine", Change: &tfjson.Change{Actions: tfjson.Actions{"create"}, After: after}})
	}
	all = append(all, resource(vm, tfjson.ActionDelete))
	return planned(all...)
}

func TestLargePlanIsCut(t *testing.T) {
	record := Build(machineOrigin(t), []byte("file"), long(70, "x"))
	assert.Equal(t, Counts{Create: 70, Delete: 1}, record.Counts, "counts stay exact")
	assert.Len(t, record.Changes, 64)
	assert.Equal(t, vm, record.Changes[0].Address, "the most disruptive change is first")
	assert.EqualValues(t, 7, record.Omitted.Changes)
	listed, cut := 0, 0
	for _, change := range record.Changes {
		listed += len(change.Attributes)
		assert.LessOrEqual(t, len(change.Attributes), 64)
		if strings.HasSuffix(change.Address, "...") {
			assert.Len(t, change.Address, 512)
			cut++
		}
		for _, attribute := range change.Attributes {
			assert.Equal(t, strings.Repeat("ü", 253)+"...", *attribute.After)
			cut++
		}
	}
	assert.Equal(t, 256, listed)
	assert.EqualValues(t, 63*100-256, record.Omitted.Attributes)
	assert.EqualValues(t, cut, record.Omitted.Values)

	other := Build(machineOrigin(t), []byte("file"), long(70, "y"))
	assert.Equal(t, record.Changes, other.Changes)
	assert.NotEqual(t, record.ChangeDigest, other.ChangeDigest, "digests are made from everything, also from what is left out")
	assert.NotEqual(t, record.ClassDigest, other.ClassDigest)
}

func TestMostDisruptiveAttributesAreKept(t *testing.T) {
	update := resource(vm, tfjson.ActionUpdate)
	before, after := map[string]any{"memory_size_mib": 1.0}, map[string]any{"memory_size_mib": 2.0}
	for i := range 100 {
		before[fmt.Sprintf("timeouts_%d", i)], after[fmt.Sprintf("timeouts_%d", i)] = nil, nil
	}
	categories := func(value string) (list []any) {
		for range 100 {
			list = append(list, map[string]any{"name": "k", "value": value})
		}
		return list
	}
	before["categories"], after["categories"] = categories("a"), categories("b")
	update.Change.Before, update.Change.After = before, after
	record := Build(machineOrigin(t), nil, planned(update))
	assert.Equal(t, provider.PowerCycle, record.Disruption)
	require.Len(t, record.Changes[0].Attributes, 64)
	assert.Equal(t, "memory_size_mib", record.Changes[0].Attributes[0].Path)
	assert.EqualValues(t, 101-64, record.Omitted.Attributes)
}
