package plan

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/capnt/capnt/internal/provider"
)

func TestDecide(t *testing.T) {
	changes := func(changes ...Change) Record {
		record := Record{Changes: changes}
		for _, change := range changes {
			record.Disruption = max(record.Disruption, change.Disruption)
		}
		return record
	}
	update := func(class provider.Class, paths ...string) Change {
		change := Change{Address: vm, Actions: []Action{ActionUpdate}, Disruption: class}
		for _, path := range paths {
			change.Attributes = append(change.Attributes, Attribute{Path: path, Disruption: class})
		}
		return change
	}
	create := Change{Address: key, Actions: []Action{ActionCreate}}
	remove := Change{Address: vm, Actions: []Action{ActionDelete}, Disruption: provider.Destroy}
	replace := Change{Address: vm, Actions: []Action{ActionReplace}, Disruption: provider.Replace}
	mixed := update(provider.PowerCycle, "memory_size_mib")
	mixed.Attributes = append(mixed.Attributes, Attribute{Path: "name"})

	held := changes(update(provider.None, "name"))
	held.Hold = &Hold{"CategoryValuesAmbiguous", "two values of one key"}
	both := changes(mixed)
	both.Hold = held.Hold

	tests := map[string]struct {
		record   Record
		deleting bool
		decision Decision
		reason   string
	}{
		"create":              {changes(create), false, Approved, "the plan disrupts nothing"},
		"outputs only":        {changes(), false, Approved, "the plan disrupts nothing"},
		"class None":          {changes(update(provider.None, "name")), false, Approved, "the plan disrupts nothing"},
		"class PowerCycle":    {changes(mixed), false, Waiting, "the plan has disruption class PowerCycle: it changes memory_size_mib of " + vm},
		"nested attributes":   {changes(update(provider.PowerCycle, "gpu_list[0].mode", "gpu_list[1].mode", "num_sockets")), false, Waiting, "the plan has disruption class PowerCycle: it changes gpu_list, num_sockets of " + vm},
		"unknown attributes":  {changes(update(provider.Replace)), false, Waiting, "the plan has disruption class Replace: it changes " + vm},
		"tainted":             {changes(replace), false, Waiting, "the plan has disruption class Replace: it replaces " + vm},
		"delete":              {changes(remove), false, Waiting, "the plan has disruption class Destroy: it destroys " + vm},
		"held":                {held, false, Waiting, "two values of one key"},
		"held and disruptive": {both, false, Waiting, "the plan has disruption class PowerCycle: it changes memory_size_mib of " + vm},
		"held, of an object that is being deleted": {held, true, Approved, "the object is being deleted"},
		"one of several": {changes(create, remove), false, Waiting, "the plan has disruption class Destroy: it destroys " + vm},
		"delete of an object that is being deleted":  {changes(remove), true, Approved, "the object is being deleted"},
		"nothing of an object that is being deleted": {changes(), true, Approved, "the object is being deleted"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			verdict := Decide(test.record, Facts{Deleting: test.deleting})
			assert.Equal(t, test.decision, verdict.Decision)
			assert.Equal(t, test.reason, verdict.Reason)
		})
	}
}
