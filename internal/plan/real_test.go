package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"slices"
	"testing"
	"time"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// The files in testdata are plans that Terraform 1.11 and provider 1.9.5 have made of the machine module: a create, an update of memory and
// description, a delete, and an import with the same update. Sensitive values are replaced as package terraform does.

// document is the JSON form of a plan.
type document = map[string]any

// readDocument returns a plan in testdata.
func readDocument(t *testing.T, name string) document {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name + ".json")
	require.NoError(t, err)
	return decoded[document](t, content)
}

func decoded[T any](t *testing.T, content []byte) T {
	t.Helper()
	var value T
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&value))
	return value
}

func encoded(t *testing.T, value any) []byte {
	t.Helper()
	content, err := json.Marshal(value)
	require.NoError(t, err)
	return content
}

// planOf returns a plan as package terraform returns it.
func planOf(t *testing.T, content []byte) *tfjson.Plan {
	t.Helper()
	planned := &tfjson.Plan{}
	planned.UseJSONNumber(true)
	require.NoError(t, json.Unmarshal(content, planned))
	return planned
}

// machineOrigin returns the origin of a plan for a machine of a MachineDeployment.
func machineOrigin(t *testing.T) Origin {
	t.Helper()
	return Origin{
		Target: infrav1.PlanTarget{Key: "9e38d3b0-5f0c-4c3e-9a55-8b8d3c2f1e10", Kind: "NutanixMachine", Namespace: "prod", Name: "prod-md-0-9d8v2", Generation: 3},
		Source: infrav1.PlanOrigin{
			Author: "app-owner@example.com", Source: "NutanixMachineTemplate/prod-md-0-v3", Owner: "MachineDeployment/prod-md-0",
			Cluster: "prod", Revision: "main@sha1:5e1f0c2",
		},
		Generation: generation(t), Cause: CauseUpdate,
		Basis: Basis{
			WorkspaceDigest: "v1:" + digest([]byte("workspace")), Observed: digest([]byte("observed")),
			Lineage: "3f8a2c1d-7e55-4b0a-9c41-2d6f5e8b9a70", Serial: 7, Variables: "hmac-sha256:" + digest([]byte("variables")),
		},
		TerraformVersion: "1.11.4", ProviderVersion: "1.9.5", Time: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC),
	}
}

// inRich are the attributes of the changed machines in the plan that rich returns. It has few, because tests build the plan often.
var inRich = []string{
	"boot_type", "categories", "description", "guest_customization_cloud_init_user_data", "id", "memory_size_mib", "metadata", "name",
	"nic_list", "nic_list_status", "num_sockets", "timeouts", "use_hot_add",
}

// rich returns a plan that contains everything a plan can do.
func rich(t *testing.T) document {
	t.Helper()
	var resources []any
	add := func(name string) (resource, change document) {
		source := name
		if name == "replace" {
			source = "update"
		}
		resource = readDocument(t, source)["resource_changes"].([]any)[0].(document)
		resource["address"] = "module.machine.nutanix_virtual_machine." + name
		resources = append(resources, resource)
		change = resource["change"].(document)
		for _, side := range []string{"before", "after"} {
			maps.DeleteFunc(object(change[side]), func(attribute string, _ any) bool {
				return name != "create" && name != "delete" && !slices.Contains(inRich, attribute)
			})
		}
		return resource, change
	}
	add("create")
	add("update")
	add("delete")
	add("import")
	_, replace := add("replace")
	replace["actions"] = []any{"delete", "create"}
	replace["replace_paths"] = []any{[]any{"boot_type"}}
	replace["after_unknown"] = document{"id": true, "metadata": true, "nic_list_status": true}
	for _, name := range []string{"id", "metadata", "nic_list_status"} {
		delete(object(replace["after"]), name)
	}
	resources = append(resources,
		document{
			"address": "nutanix_category_value.moved", "previous_address": "nutanix_category_value.old", "type": "nutanix_category_value",
			"change": document{"actions": []any{"no-op"}, "before": document{"name": "k"}, "after": document{"name": "k"}},
		},
		document{
			"address": "nutanix_category_key.forgotten", "type": "nutanix_category_key",
			"change": document{"actions": []any{"forget"}, "before": document{"id": "k", "name": "k"}},
		},
		document{
			"address": "nutanix_category_key.deposed", "type": "nutanix_category_key", "deposed": "0a1b2c3d",
			"change": document{"actions": []any{"delete"}, "before": document{"id": "d", "name": "d"}},
		},
	)
	return document{
		"format_version": "1.2", "terraform_version": "1.11.4", "timestamp": "2026-12-01T09:00:00Z",
		"resource_changes": resources,
		"output_changes": document{
			"created":   document{"actions": []any{"create"}, "after": "x"},
			"updated":   document{"actions": []any{"update"}, "before": []any{"a", "b"}, "after": []any{"a", "c"}},
			"vm_uuid":   document{"actions": []any{"update"}, "before": "u", "after_unknown": true},
			"deleted":   document{"actions": []any{"delete"}, "before": "x"},
			"unchanged": document{"actions": []any{"no-op"}, "before": "x", "after": "x"},
			"addresses": document{"actions": []any{"update"}, "before": []any{"10.0.0.1"}, "after": []any{"10.0.0.2"}},
		},
		"deferred_changes": []any{document{"reason": "provider_config_unknown", "resource_change": document{
			"address": "nutanix_category_value.deferred", "type": "nutanix_category_value",
			"change": document{"actions": []any{"create"}, "after": document{"name": "k", "value": "v"}, "after_unknown": document{"id": true}},
		}}},
		"action_invocations": []any{document{
			"address": "action.nutanix_power.reboot", "type": "nutanix_power", "name": "reboot",
			"config_values": document{"mode": "hard", "force": true}, "config_unknown": document{"uuid": true},
			"lifecycle_action_trigger": document{
				"triggering_resource_address": "module.machine.nutanix_virtual_machine.update", "action_trigger_event": "AfterUpdate",
				"action_trigger_block_index": json.Number("0"), "actions_list_index": json.Number("0"),
			},
		}},
	}
}

// reordered returns the JSON form of a value with the members of all objects in a random order.
func reordered(random *rand.Rand, value any) []byte {
	var text bytes.Buffer
	switch value := value.(type) {
	case map[string]any:
		names := slices.Sorted(maps.Keys(value))
		random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for i, name := range names {
			fmt.Fprintf(&text, "%s%q:%s", separator(i, "{"), name, reordered(random, value[name]))
		}
		return append(text.Bytes(), closing(len(names), "{}")...)
	case []any:
		for i := range value {
			fmt.Fprintf(&text, "%s%s", separator(i, "["), reordered(random, value[i]))
		}
		return append(text.Bytes(), closing(len(value), "[]")...)
	default:
		content, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		return content
	}
}

func separator(index int, opening string) string {
	if index == 0 {
		return opening
	}
	return ","
}

// closing returns the end of an object or a list, or all of it if it is empty.
func closing(length int, brackets string) string {
	if length == 0 {
		return brackets
	}
	return brackets[1:]
}

// randomOf returns a source of random numbers. The test prints its seed.
func randomOf(t *testing.T) *rand.Rand {
	t.Helper()
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewSource(seed))
}
