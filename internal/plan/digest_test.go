package plan

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// site is a place in a plan that a random change can hit.
type site struct {
	path string
	set  func(any)
	have any
}

// sites returns all places at or below value whose content a digest depends on.
func sites(path string, value any, set func(any), leave func(path string) bool) []site {
	if leave(path) {
		return nil
	}
	var found []site
	switch value := value.(type) {
	case map[string]any:
		for name := range value {
			found = append(found, sites(joined(path, name), value[name], func(changed any) { value[name] = changed }, leave)...)
		}
	case []any:
		for i := range value {
			found = append(found, sites(fmt.Sprintf("%s[%d]", path, i), value[i], func(changed any) { value[i] = changed }, leave)...)
		}
	case string, bool, json.Number:
		if value != unknownMark {
			found = append(found, site{path, set, value})
		}
	}
	return found
}

// changed returns another value of the same type.
func changed(random *rand.Rand, value any) any {
	switch value := value.(type) {
	case string:
		return fmt.Sprintf("%s-%x", value, random.Int63())
	case json.Number:
		number, err := value.Int64()
		if err != nil {
			panic(err)
		}
		return json.Number(fmt.Sprint(number + 1 + random.Int63n(1<<30)))
	default:
		return value != true
	}
}

// changeSites returns the places in a change of a resource, an output or a deferred change.
func changeSites(t *testing.T, path, kind string, change document) []site {
	t.Helper()
	generation := generation(t)
	actions := fmt.Sprint(change["actions"])
	never := func(string) bool { return false }
	unknown := object(change["after_unknown"])
	hidden := func(inner string) bool {
		name := strings.TrimPrefix(inner, path+".before.")
		return actions == "[delete create]" && unknown[name] == true ||
			(actions == "[delete]" || actions == "[forget]") && generation.Observed(kind, name)
	}
	var found []site
	if actions != "[no-op]" {
		found = append(found, sites(path+".before", change["before"], func(changed any) { change["before"] = changed }, hidden)...)
		found = append(found, sites(path+".after", change["after"], func(changed any) { change["after"] = changed }, never)...)
	}
	found = append(found, sites(path+".replace_paths", change["replace_paths"], nil, never)...)
	found = append(found, sites(path+".importing", change["importing"], nil, never)...)
	// A planned value that becomes unknown.
	for name := range object(change["after"]) {
		if actions != "[no-op]" && unknown[name] == nil {
			found = append(found, site{path + ".unknown." + name, func(any) {
				delete(object(change["after"]), name)
				if object(change["after_unknown"]) == nil {
					change["after_unknown"] = document{}
				}
				object(change["after_unknown"])[name] = true
			}, true})
		}
	}
	return found
}

// allSites returns the places in a plan that a digest depends on.
func allSites(t *testing.T, planned document) []site {
	t.Helper()
	var found []site
	for _, list := range []string{"resource_changes", "deferred_changes"} {
		for i, entry := range planned[list].([]any) {
			resource := object(entry)
			if inner := object(resource["resource_change"]); inner != nil {
				resource = inner
			}
			path := fmt.Sprintf("%s[%d]", list, i)
			kind, _ := resource["type"].(string)
			for _, name := range []string{"address", "previous_address", "deposed"} {
				if resource[name] != nil {
					found = append(found, site{path + "." + name, func(changed any) { resource[name] = changed }, resource[name]})
				}
			}
			found = append(found, changeSites(t, path, kind, object(resource["change"]))...)
			change := object(resource["change"])
			if actions := fmt.Sprint(change["actions"]); actions == "[delete create]" {
				found = append(found, site{path + ".actions", func(any) { change["actions"] = []any{"create", "delete"} }, true})
			}
		}
	}
	outputs := object(planned["output_changes"])
	for _, name := range []string{"created", "updated"} {
		change := object(outputs[name])
		found = append(found, changeSites(t, "output."+name, "", change)...)
		found = append(found, site{"output." + name, func(changed any) {
			delete(outputs, name)
			outputs[fmt.Sprint(changed)] = change
		}, name})
	}
	found = append(found, site{"output.deleted", func(any) { delete(outputs, "deleted") }, true},
		site{"output.vm_uuid", func(any) { object(outputs["vm_uuid"])["after_unknown"] = false }, true})
	for i, entry := range planned["action_invocations"].([]any) {
		found = append(found, sites(fmt.Sprintf("action_invocations[%d]", i), object(entry), nil, func(path string) bool {
			return strings.HasSuffix(path, ".name") || strings.HasSuffix(path, ".type")
		})...)
	}
	return found
}

// TestEveryChangeChangesTheDigest changes 1,000 random places of a plan, one at a time.
func TestEveryChangeChangesTheDigest(t *testing.T) {
	random := randomOf(t)
	content := encoded(t, rich(t))
	origin := machineOrigin(t)
	want := Build(origin, nil, planOf(t, content))
	hit := map[string]bool{}
	for range 1000 {
		planned := decoded[document](t, content)
		places := allSites(t, planned)
		slices.SortFunc(places, func(a, b site) int { return strings.Compare(a.path, b.path) })
		place := places[random.Intn(len(places))]
		place.set(changed(random, place.have))
		got := Build(origin, nil, planOf(t, encoded(t, planned)))
		require.NotEqual(t, want.ChangeDigest, got.ChangeDigest, place.path)
		hit[place.path] = true
	}
	t.Logf("%d different places", len(hit))
	assert.Greater(t, len(hit), 200)
}

// TestReplanningKeepsTheDigests makes the same plan 1,000 times. Everything differs that does not belong to the change.
func TestReplanningKeepsTheDigests(t *testing.T) {
	random := randomOf(t)
	content := encoded(t, rich(t))
	origin := machineOrigin(t)
	want := Build(origin, nil, planOf(t, content))
	for i := range 1000 {
		text := func() string { return fmt.Sprintf("%d-%x", i, random.Int63()) }
		planned := decoded[document](t, content)
		planned["timestamp"] = time.Unix(random.Int63n(1<<32), 0).UTC().Format(time.RFC3339)
		planned["format_version"] = fmt.Sprintf("1.%d", random.Intn(9))
		planned["configuration"] = document{"root_module": document{"module_calls": document{"machine": document{"source": text()}}}}
		planned["resource_drift"] = []any{document{"address": text(), "change": document{"actions": []any{"update"}, "before": text()}}}
		entries := planned["resource_changes"].([]any)
		random.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		outputs := object(planned["output_changes"])
		object(outputs["vm_uuid"])["before"] = text()
		object(outputs["deleted"])["before"] = text()
		object(outputs["addresses"])["after"] = []any{text()}
		for _, entry := range entries {
			change := object(object(entry)["change"])
			before := object(change["before"])
			if before["metadata"] != nil && strings.HasPrefix(fmt.Sprint(change["actions"]), "[delete") {
				before["metadata"], before["nic_list_status"] = document{"spec_version": text()}, []any{document{"ip": text()}}
			}
			for _, side := range []string{"before", "after"} {
				if values := object(change[side]); values["guest_customization_cloud_init_user_data"] != nil {
					values["guest_customization_cloud_init_user_data"] = "(sensitive value " + digest([]byte("key" + fmt.Sprint(i)))[:12] + ")"
				}
			}
		}
		again := origin
		again.Time = time.Unix(random.Int63n(1<<32), 0)
		again.Basis = Basis{WorkspaceDigest: text(), Observed: text(), Lineage: text(), Serial: random.Int63(), Variables: text()}
		again.Target.Generation = random.Int63()
		again.Source.Author, again.Source.Source, again.Source.Revision = text(), text(), text()
		again.Hold = &Hold{Reason: text(), Message: text()}
		got := Build(again, []byte(text()), planOf(t, reordered(random, planned)))
		require.Equal(t, want.ChangeDigest, got.ChangeDigest)
		require.Equal(t, want.ClassDigest, got.ClassDigest)
	}
}

// TestDigestsStay_AfterAnApplyThatFailed removes an output that the apply has written to the state before the creation of the VM failed. The
// decision about the plan must be valid for the next plan.
func TestDigestsStay_AfterAnApplyThatFailed(t *testing.T) {
	origin := machineOrigin(t)
	planned := readDocument(t, "create")
	want := Build(origin, nil, planOf(t, encoded(t, planned)))
	outputs := object(planned["output_changes"])
	require.Contains(t, outputs, "name")
	delete(outputs, "name")
	got := Build(origin, nil, planOf(t, encoded(t, planned)))
	assert.Equal(t, want.ChangeDigest, got.ChangeDigest)
	assert.Equal(t, want.ClassDigest, got.ClassDigest)
	outputs["other"] = document{"actions": []any{"create"}, "before": nil, "after": "x", "after_unknown": false}
	other := Build(origin, nil, planOf(t, encoded(t, planned)))
	assert.NotEqual(t, want.ChangeDigest, other.ChangeDigest, "an output of another module is a change of its own")
	assert.NotEqual(t, want.ClassDigest, other.ClassDigest)
}

func TestDigestsDependOnTheOrigin(t *testing.T) {
	tests := map[string]struct {
		edit          func(*Origin)
		change, class bool // whether the digest differs
	}{
		"another target":              {func(o *Origin) { o.Target.Key = "another" }, true, false},
		"another kind":                {func(o *Origin) { o.Target.Kind = "NutanixCluster" }, true, true},
		"a destroy":                   {func(o *Origin) { o.Destroy = true }, true, true},
		"another Terraform":           {func(o *Origin) { o.TerraformVersion = "1.12.0" }, true, true},
		"another provider":            {func(o *Origin) { o.ProviderVersion = "1.9.6" }, true, true},
		"another owner":               {func(o *Origin) { o.Source.Owner = "MachineDeployment/prod-md-1" }, false, true},
		"another cluster":             {func(o *Origin) { o.Source.Cluster = "staging" }, false, true},
		"another namespace":           {func(o *Origin) { o.Target.Namespace = "staging" }, false, true},
		"another cause":               {func(o *Origin) { o.Cause = CauseDrift }, false, true},
		"another name of the machine": {func(o *Origin) { o.Target.Name = "prod-md-0-x2x9q" }, false, false},
		"another author":              {func(o *Origin) { o.Source.Author = "somebody" }, false, false},
	}
	planned := planOf(t, encoded(t, readDocument(t, "update")))
	want := Build(machineOrigin(t), nil, planned)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			origin := machineOrigin(t)
			test.edit(&origin)
			got := Build(origin, nil, planned)
			assert.Equal(t, test.change, want.ChangeDigest != got.ChangeDigest, "change digest")
			assert.Equal(t, test.class, want.ClassDigest != got.ClassDigest, "class digest")
		})
	}
}

func TestAMachineWithoutAnOwnerIsAClassOfItsOwn(t *testing.T) {
	planned := planOf(t, encoded(t, readDocument(t, "create")))
	first, second := machineOrigin(t), machineOrigin(t)
	first.Source.Owner, second.Source.Owner = "", ""
	second.Target.Key = "another"
	assert.NotEqual(t, Build(first, nil, planned).ClassDigest, Build(second, nil, planned).ClassDigest)
}

// rename gives a machine in a plan another name, other UUIDs, other addresses and other bootstrap data.
func rename(random *rand.Rand, change document) {
	suffix, second := fmt.Sprintf("-%x", random.Int63()), random.Intn(2) == 0
	extend := func(values document, names ...string) {
		for _, name := range names {
			if text, ok := values[name].(string); ok {
				values[name] = text + suffix
			}
		}
	}
	for _, side := range []document{object(change["before"]), object(change["after"])} {
		extend(side, "name", "description", "id", "cloud_init_cdrom_uuid")
		if side != nil {
			side["guest_customization_cloud_init_user_data"] = "(sensitive value " + digest([]byte(suffix))[:12] + ")"
		}
		for i := range 2 {
			extend(object(element(side["disk_list"], i)), "uuid")
		}
		nic := object(element(side["nic_list"], 0))
		extend(nic, "uuid", "mac_address")
		extend(object(element(nic["ip_endpoint_list"], 0)), "ip")
		if list, ok := nic["ip_endpoint_list"].([]any); ok && second {
			nic["ip_endpoint_list"] = append(list, document{"ip": suffix})
		}
	}
	extend(object(change["importing"]), "id")
}

// TestMachinesOfOneOwnerHaveOneClass proves that a class covers the machines of a rollout and no other machine.
func TestMachinesOfOneOwnerHaveOneClass(t *testing.T) {
	random := randomOf(t)
	outliers := map[string]func(machine, unknown document){
		"memory": func(machine, _ document) { machine["memory_size_mib"] = json.Number("12345") },
		"subnet": func(machine, _ document) { object(element(machine["nic_list"], 0))["subnet_uuid"] = "another" },
		"image": func(machine, _ document) {
			object(element(machine["disk_list"], 0))["data_source_reference"] = document{"uuid": "x"}
		},
		"disk size": func(machine, _ document) {
			object(element(machine["disk_list"], 0))["disk_size_mib"] = json.Number("1")
		},
		"another disk": func(machine, _ document) {
			machine["disk_list"] = append(machine["disk_list"].([]any), document{"uuid": "d"})
		},
		"Prism Element":    func(machine, _ document) { machine["cluster_uuid"] = "another" },
		"category":         func(machine, _ document) { object(element(machine["categories"], 0))["value"] = "another" },
		"hot add":          func(machine, _ document) { machine["use_hot_add"] = false },
		"firmware":         func(machine, unknown document) { machine["boot_type"] = "UEFI"; delete(unknown, "boot_type") },
		"another category": func(machine, _ document) { machine["categories"] = []any{} },
	}
	for _, name := range []string{"create", "update", "delete", "import"} {
		t.Run(name, func(t *testing.T) {
			content := encoded(t, readDocument(t, name))
			want := Build(machineOrigin(t), nil, planOf(t, content))
			machine := func(edit func(machine, unknown document)) Record {
				planned := decoded[document](t, content)
				change := object(object(element(planned["resource_changes"], 0))["change"])
				rename(random, change)
				side := "after"
				if name == "delete" {
					side = "before"
				}
				edit(object(change[side]), object(change["after_unknown"]))
				origin := machineOrigin(t)
				origin.Target.Key, origin.Target.Name = fmt.Sprint(random.Int63()), fmt.Sprint(random.Int63())
				return Build(origin, nil, planOf(t, encoded(t, planned)))
			}
			for range 50 {
				got := machine(func(document, document) {})
				require.Equal(t, want.ClassDigest, got.ClassDigest)
				require.NotEqual(t, want.ChangeDigest, got.ChangeDigest)
			}
			for outlier, edit := range outliers {
				assert.NotEqual(t, want.ClassDigest, machine(edit).ClassDigest, outlier)
			}
		})
	}
}
