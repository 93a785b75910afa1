package display

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

const vmAddress = "module.machine.nutanix_virtual_machine.this"

// attribute returns a PlannedAttribute. If before or after is empty, that value is not set.
func attribute(path, before, after string) infrav1.PlannedAttribute {
	result := infrav1.PlannedAttribute{Path: path, Disruption: infrav1.PlanDisruptionNone}
	if before != "" {
		result.Before = ptr.To(before)
	}
	if after != "" {
		result.After = ptr.To(after)
	}
	return result
}

func TestParseAddress(t *testing.T) {
	tests := map[string]address{
		"nutanix_category_key.this":                     {kind: "nutanix_category_key", name: "this"},
		"module.machine.nutanix_virtual_machine.this":   {module: "module.machine", kind: "nutanix_virtual_machine", name: "this"},
		"module.a[0].module.b.data.nutanix_subnet.s[1]": {module: "module.a[0].module.b", kind: "nutanix_subnet", name: "s", index: 1, data: true},
		`nutanix_subnet.s["a.b"]`:                       {kind: "nutanix_subnet", name: "s", index: "a.b"},
		"nonsense":                                      {},
	}
	for text, want := range tests {
		assert.Equal(t, want, parseAddress(text), text)
	}
}

func TestMebibytes(t *testing.T) {
	for text, want := range map[string]string{
		"512": "512 MiB", "16384": "16 GiB", "4608": "4.5 GiB", "4609": "4609 MiB", "2097152": "2 TiB", "many": "many",
	} {
		assert.Equal(t, want, mebibytes(text))
	}
}

func TestNestedValues(t *testing.T) {
	attributes := []infrav1.PlannedAttribute{
		attribute("nic_list[1].subnet_uuid", "", "b"), attribute("size", "", "16384"), attribute(`values["my.key"]`, "", "x"),
		attribute("list", "", `["a", 1]`), attribute("text", "", "{not JSON"), attribute("quoted", "", `"text"`), attribute("disk_list[99999]", "", "x"),
	}
	assert.Equal(t, map[string]any{
		"nic_list": []any{nil, map[string]any{"subnet_uuid": "b"}}, "size": "16384", "values": map[string]any{"my.key": "x"},
		"list": `["a", 1]`, "text": "{not JSON", "quoted": `"text"`, "disk_list": []any(nil),
	}, nested(attributes, after, asText))
	parsed := nested(attributes, after, asJSON)
	assert.Equal(t, `"text"`, parsed["quoted"])
	assert.Len(t, parsed["list"], 2)
}

func TestRows(t *testing.T) {
	disruptive := attribute("memory_size_mib", "16384", "8192")
	disruptive.Disruption = infrav1.PlanDisruptionPowerCycle
	unknown := infrav1.PlannedAttribute{Path: "power_state", Before: ptr.To("ON"), Unknown: true}
	tests := map[string]struct {
		attributes []infrav1.PlannedAttribute
		want       []string
	}{
		"the most disruptive first": {[]infrav1.PlannedAttribute{attribute("name", "a", "b"), disruptive}, []string{"memory: 16 GiB -> 8 GiB", "name: a -> b"}},
		"removed":                   {[]infrav1.PlannedAttribute{attribute("description", "a", "")}, []string{"description: a -> (none)"}},
		"unknown":                   {[]infrav1.PlannedAttribute{unknown}, []string{"power_state: ON -> (known after apply)"}},
		"without a description":     {[]infrav1.PlannedAttribute{attribute("x[0].y", "", "1")}, []string{"x[0].y: 1"}},
		"part of a disk":            {[]infrav1.PlannedAttribute{attribute("disk_list[1].disk_size_mib", "1024", "2048")}, []string{"disk 1: 1 GiB -> 2 GiB"}},
		"not described part of a disk": {[]infrav1.PlannedAttribute{attribute("disk_list[0].disk_size_mib", "", "1024"), attribute("disk_list[0].uuid", "", "u")},
			[]string{"disk 0: 1 GiB", "disk_list[0].uuid: u"}},
		"difference that the description hides": {[]infrav1.PlannedAttribute{attribute("disk_list[0].disk_size_bytes", "1", "2")}, []string{"disk_list[0].disk_size_bytes: 1 -> 2"}},
		"sockets":                               {[]infrav1.PlannedAttribute{attribute("num_sockets", "1", "2")}, []string{"vCPUs: 1 socket -> 2 sockets"}},
		"list of categories": {[]infrav1.PlannedAttribute{attribute("categories", `[{"name":"a","value":"1"}]`, `[{"name":"a","value":"1"},{"name":"b","value":"2"}]`)},
			[]string{"categories: a=1 -> a=1, b=2"}},
		"the same":           {[]infrav1.PlannedAttribute{attribute("id", "vm-1", "vm-1")}, []string{"id: vm-1"}},
		"control characters": {[]infrav1.PlannedAttribute{attribute("name", "", "a\n\x1b[31mb")}, []string{"name: a\\n\uFFFD[31mb"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rows, _ := rowsOf(infrav1.PlannedChange{Address: vmAddress, Actions: []string{"update"}, Attributes: test.attributes}, nil)
			var got []string
			for _, row := range rows {
				got = append(got, row.label+": "+row.value())
			}
			assert.Equal(t, test.want, got)
		})
	}
}

func TestHeadlines(t *testing.T) {
	tests := map[string]struct {
		change func(*infrav1.NutanixPlanSpec)
		want   string
	}{
		"destroy":        {func(s *infrav1.NutanixPlanSpec) { s.Disruption = infrav1.PlanDisruptionDestroy }, "This destroys the virtual machine of NutanixMachine/m (Node m, Ready)"},
		"replace":        {func(s *infrav1.NutanixPlanSpec) { s.Disruption = infrav1.PlanDisruptionReplace }, "This destroys the virtual machine of NutanixMachine/m (Node m, Ready) and creates it again"},
		"update":         {func(*infrav1.NutanixPlanSpec) {}, "This changes the virtual machine of NutanixMachine/m (Node m, Ready) without a disruption"},
		"import":         {func(s *infrav1.NutanixPlanSpec) { s.Counts.Import = 1 }, "This imports the virtual machine of NutanixMachine/m (Node m, Ready) into its Terraform state"},
		"edit of states": {func(s *infrav1.NutanixPlanSpec) { s.File = nil }, "This changes only the Terraform state of NutanixMachine/m (Node m, Ready), not its infrastructure"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plan := &infrav1.NutanixPlan{Spec: infrav1.NutanixPlanSpec{Disruption: infrav1.PlanDisruptionNone, File: &infrav1.PlanFile{},
				Target: infrav1.PlanTarget{Kind: "NutanixMachine", Name: "m"}}}
			test.change(&plan.Spec)
			assert.Equal(t, test.want, headline(plan, "Node m, Ready"))
		})
	}
}

func TestDisruptiveRowsAreNeverHidden(t *testing.T) {
	change := infrav1.PlannedChange{Address: vmAddress, Actions: []string{"update"}, Disruption: infrav1.PlanDisruptionPowerCycle}
	for i := range 20 {
		hidden := attribute("x"+strings.Repeat("x", i), "", "1")
		hidden.Disruption = infrav1.PlanDisruptionPowerCycle
		change.Attributes = append(change.Attributes, hidden, attribute("y"+strings.Repeat("y", i), "", "1"))
	}
	var out bytes.Buffer
	plan := &infrav1.NutanixPlan{Spec: infrav1.NutanixPlanSpec{Changes: []infrav1.PlannedChange{change}, Disruption: infrav1.PlanDisruptionPowerCycle}}
	require.NoError(t, Screen{Now: time.Now(), Program: "capnt"}.Write(&out, plan))
	assert.Equal(t, 21, strings.Count(out.String(), "power cycle"), "20 attributes and their resource")
	assert.Contains(t, out.String(), "20 more: capnt plan diff")
}

func TestNamesOfPinnedInputs(t *testing.T) {
	machine := &infrav1.NutanixMachine{}
	machine.Annotations = map[string]string{infrav1.PinnedInputsAnnotation: `{"subnets":[{"uuid":"ABC-1","name":"prod-a"},{"uuid":"d"}],"prismElement":{"uuid":"pe","name":"pe-1"}}`}
	names := NamesFor(&infrav1.NutanixPlan{}, machine)
	assert.Equal(t, Names{"abc-1": "prod-a", "pe": "pe-1"}, names)
	assert.Equal(t, "prod-a (abc-1)", names.entity("abc-1"))
	assert.Equal(t, "unknown", names.entity("unknown"))
}

func TestNamesOfAnotherGenerationAreNotUsed(t *testing.T) {
	plan := &infrav1.NutanixPlan{Spec: infrav1.NutanixPlanSpec{Cause: infrav1.PlanCauseCreate, Target: infrav1.PlanTarget{Generation: 1},
		Changes: []infrav1.PlannedChange{{Address: vmAddress, Attributes: []infrav1.PlannedAttribute{attribute("cluster_uuid", "", "uuid")}}}}}
	machine := &infrav1.NutanixMachine{Spec: infrav1.NutanixMachineSpec{Cluster: infrav1.NutanixResourceIdentifier{Name: ptr.To("pe-1")}}}
	machine.Generation = 1
	assert.Equal(t, Names{"uuid": "pe-1"}, NamesFor(plan, machine))
	machine.Generation = 2
	assert.Empty(t, NamesFor(plan, machine), "the name may be that of another entity")
}

func TestTerraformPlanOfOtherChanges(t *testing.T) {
	plan := TerraformPlan(&infrav1.NutanixPlan{Spec: infrav1.NutanixPlanSpec{
		File: &infrav1.PlanFile{Terraform: "1.11.4"}, Omitted: infrav1.PlanOmitted{Attributes: 1},
		Changes: []infrav1.PlannedChange{
			{Address: "output.name", Actions: []string{"update"}, Attributes: []infrav1.PlannedAttribute{attribute("value", "a", "b")}},
			{Address: vmAddress, Actions: []string{"import", "update"}, ImportID: "id", Attributes: []infrav1.PlannedAttribute{attribute("name", "a", "b")}},
			{Address: "nutanix_subnet.a", Actions: []string{"replace"}, ReplacePaths: []string{"x[0].y"}},
			{Address: "nutanix_subnet.b", Actions: []string{"forget"}},
			{Address: "nutanix_subnet.c", Actions: []string{"defer"}, Reason: "provider_config_unknown"},
			{Address: "action.nutanix_x.y", Actions: []string{"invoke"}},
		},
	}})
	require.NoError(t, plan.Validate())
	assert.False(t, *plan.Complete)
	assert.Equal(t, "b", plan.OutputChanges["name"].After)
	require.Len(t, plan.ResourceChanges, 3)
	assert.Equal(t, "id", plan.ResourceChanges[0].Change.Importing.ID)
	assert.True(t, plan.ResourceChanges[0].Change.Actions.Update())
	assert.True(t, plan.ResourceChanges[1].Change.Actions.Replace())
	assert.Equal(t, []any{[]any{"x", 0, "y"}}, plan.ResourceChanges[1].Change.ReplacePaths)
	assert.True(t, plan.ResourceChanges[2].Change.Actions.Forget())
	assert.Nil(t, plan.ResourceChanges[2].Change.After)
	assert.Equal(t, "provider_config_unknown", plan.DeferredChanges[0].Reason)
	assert.Equal(t, "action.nutanix_x.y", plan.ActionInvocations[0].Address)
}

func TestExpiryAndDecisionsAreShown(t *testing.T) {
	now := time.Date(2026, 12, 1, 9, 15, 0, 0, time.UTC)
	decision := func(name, user string, expires time.Duration) infrav1.NutanixPlanDecision {
		return infrav1.NutanixPlanDecision{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: infrav1.NutanixPlanDecisionSpec{
			Verdict: infrav1.PlanVerdictApproved, DecidedBy: &infrav1.PlanDecider{Username: user}, ExpiresAt: &metav1.Time{Time: now.Add(expires)}}}
	}
	deleted := decision("deleted", "carol", time.Hour)
	deleted.DeletionTimestamp = &metav1.Time{Time: now}
	screen := Screen{Now: now, Decisions: []infrav1.NutanixPlanDecision{decision("two", "bob", 5*time.Hour), decision("one", "alice", 30*time.Minute),
		decision("old", "carol", 0), deleted}}
	plan := &infrav1.NutanixPlan{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))}, Status: infrav1.NutanixPlanStatus{
		Phase: infrav1.PlanPhaseWaiting, ExpirationTime: &metav1.Time{Time: now.Add(5 * time.Hour)}}}
	assert.Equal(t, "Waiting 60m, expires in 5h", screen.phase(plan))
	assert.Equal(t, []string{"Approved by alice (one), expires in 30m", "Approved by bob (two), expires in 5h"}, screen.decisions())
	plan.Status.ExpirationTime = &metav1.Time{Time: now}
	assert.Equal(t, "Waiting 60m, expired", screen.phase(plan))
	for range 2 {
		screen.Decisions = append(screen.Decisions, decision("three", "dave", 5*time.Hour))
	}
	assert.Equal(t, "1 more", screen.decisions()[maxDecisions])
	screen.DecisionsUnknown = "forbidden"
	assert.Equal(t, []string{"unknown: forbidden"}, screen.decisions())
}
