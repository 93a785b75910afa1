package plan

import (
	"encoding/json"
	"testing"
	"time"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/provider"
)

// stateEdit returns the record of an edit of the state that forgets a machine.
func stateEdit(t *testing.T, origin Origin, changes ...Change) Record {
	t.Helper()
	if len(changes) == 0 {
		changes = []Change{{
			Address: vm, Actions: []Action{ActionForget}, Reason: "Prism Central has no virtual machine with this UUID",
			Attributes: []Attribute{{Path: "id", Before: ptr.To(importID)}},
		}}
	}
	return StateEdit(origin, CauseForget, changes...)
}

func TestSpecRoundTrip(t *testing.T) {
	held := machineOrigin(t)
	held.Hold = &Hold{Reason: "CategoryValuesAmbiguous", Message: "two values"}
	destroy := machineOrigin(t)
	destroy.Destroy, destroy.Cause = true, CauseDelete
	for name, record := range map[string]Record{
		"everything": Build(held, []byte("file"), planOf(t, encoded(t, rich(t)))),
		"create":     Build(machineOrigin(t), []byte("file"), planOf(t, encoded(t, readDocument(t, "create")))),
		"delete":     Build(destroy, []byte("file"), planOf(t, encoded(t, readDocument(t, "delete")))),
		"cut":        Build(machineOrigin(t), []byte("file"), long(70, "x")),
		"state edit": stateEdit(t, machineOrigin(t)),
		"empty":      Build(Origin{Cause: CauseUpdate}, []byte("file"), planned()),
	} {
		t.Run(name, func(t *testing.T) {
			content, err := json.Marshal(record.Spec())
			require.NoError(t, err)
			var spec infrav1.NutanixPlanSpec
			require.NoError(t, json.Unmarshal(content, &spec))
			read := FromSpec(spec)
			record.Time = time.Time{}
			assert.Equal(t, record, read)
			assert.Equal(t, record.Spec(), read.Spec())
		})
	}
}

func TestSpecIsBoundToWhatThePlanIsBoundTo(t *testing.T) {
	record := Build(machineOrigin(t), []byte("file"), planOf(t, encoded(t, readDocument(t, "update"))))
	spec := record.Spec()
	assert.Equal(t, machineOrigin(t).Target, spec.Target)
	assert.Equal(t, machineOrigin(t).Source, spec.Origin)
	assert.Equal(t, &infrav1.PlanFile{SHA256: record.SHA256, Terraform: "1.11.4", Provider: "1.9.5"}, spec.File)
	assert.Equal(t, infrav1.PlanState{Lineage: record.Lineage, Serial: 7}, spec.State)
	assert.Equal(t, record.Variables, spec.Variables)
	assert.Equal(t, infrav1.PlanCauseUpdate, spec.Cause)
	assert.Equal(t, infrav1.PlanDisruptionPowerCycle, spec.Disruption)
	assert.Equal(t, "~1", spec.Summary)
	assert.Equal(t, infrav1.PlannedAttribute{
		Path: "memory_size_mib", Before: ptr.To("4096"), After: ptr.To("8192"), Disruption: infrav1.PlanDisruptionPowerCycle,
	}, spec.Changes[0].Attributes[0])
	assert.Empty(t, spec.Signature)
}

func TestUnknownDisruptionIsTheWorst(t *testing.T) {
	assert.Equal(t, provider.Destroy, FromSpec(infrav1.NutanixPlanSpec{Disruption: "Unheard"}).Disruption)
	for _, class := range []provider.Class{provider.None, provider.PowerCycle, provider.Replace, provider.Destroy} {
		assert.Equal(t, class, FromSpec(infrav1.NutanixPlanSpec{Disruption: infrav1.PlanDisruption(class.String())}).Disruption)
	}
}

func TestSymbols(t *testing.T) {
	for want, plan := range map[string]*tfjson.Plan{
		"+1":            planned(resource(vm, tfjson.ActionCreate)),
		"~1 -1":         planned(resource(vm, tfjson.ActionUpdate), resource(key, tfjson.ActionDelete)),
		"-/+1":          planned(resource(vm, tfjson.ActionDelete, tfjson.ActionCreate)),
		"import 1":      planned(imported(resource(vm, tfjson.ActionNoop))),
		"import 1 ~1":   planned(imported(resource(vm, tfjson.ActionUpdate))),
		"+2 forget 1":   planned(resource(vm, tfjson.ActionCreate), resource(value, tfjson.ActionCreate), resource(key, tfjson.ActionForget)),
		"other 1":       {OutputChanges: map[string]*tfjson.Change{"a": {Actions: tfjson.Actions{tfjson.ActionUpdate}, After: "x"}}},
		"+1 ~1 -/+1 -1": planned(resource(vm, tfjson.ActionCreate), resource(vm, tfjson.ActionUpdate), resource(vm, tfjson.ActionCreate, tfjson.ActionDelete), resource(vm, tfjson.ActionDelete)),
	} {
		assert.Equal(t, want, Build(machineOrigin(t), []byte("file"), plan).Symbols())
	}
	assert.Equal(t, "state", stateEdit(t, machineOrigin(t)).Symbols())
}

func TestStateEdit(t *testing.T) {
	origin := machineOrigin(t)
	record := stateEdit(t, origin)
	assert.Equal(t, Record{
		Target: origin.Target, Source: origin.Source, Cause: CauseForget, Basis: origin.Basis, Time: origin.Time,
		ChangeDigest: record.ChangeDigest, ClassDigest: record.ClassDigest, Counts: Counts{Forget: 1},
		Changes: []Change{{
			Address: vm, Actions: []Action{ActionForget}, Reason: "Prism Central has no virtual machine with this UUID",
			Attributes: []Attribute{{Path: "id", Before: ptr.To(importID)}},
		}},
	}, record)
	assert.Equal(t, Counts{Import: 1, Other: 1}, StateEdit(origin, CauseImport, Change{Address: vm, Actions: []Action{ActionImport}, ImportID: importID},
		Change{Address: key, Actions: []Action{ActionUntaint}}).Counts)
}

func TestDigestsOfAStateEdit(t *testing.T) {
	want := stateEdit(t, machineOrigin(t))
	later := machineOrigin(t)
	later.Serial, later.Time, later.TerraformVersion, later.ProviderVersion = 9, later.Time.Add(time.Hour), "1.13.0", "2.4.2"
	again := stateEdit(t, later, Change{
		Address: vm, Actions: []Action{ActionForget}, Reason: "absent since 09:00", Attributes: []Attribute{{Path: "id", Before: ptr.To(importID)}},
	})
	assert.Equal(t, want.ChangeDigest, again.ChangeDigest, "the same edit on another day")
	assert.Equal(t, want.ClassDigest, again.ClassDigest)
	for name, change := range map[string]Change{
		"another resource": {Address: key, Actions: []Action{ActionForget}, Attributes: []Attribute{{Path: "id", Before: ptr.To(importID)}}},
		"another action":   {Address: vm, Actions: []Action{ActionUntaint}, Attributes: []Attribute{{Path: "id", Before: ptr.To(importID)}}},
		"another machine":  {Address: vm, Actions: []Action{ActionForget}, Attributes: []Attribute{{Path: "id", Before: ptr.To("another")}}},
		"an import":        {Address: vm, Actions: []Action{ActionImport}, ImportID: importID},
	} {
		assert.NotEqual(t, want.ChangeDigest, stateEdit(t, machineOrigin(t), change).ChangeDigest, name)
	}
}
