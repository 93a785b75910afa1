package plan

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDecide(t *testing.T) {
	record := func(actions ...Action) Record { return Record{Changes: []Change{{Address: vm, Actions: actions}}} }
	tests := map[string]struct {
		record   Record
		deleting bool
		want     Decision
	}{
		"create":                     {record(ActionCreate), false, Approved},
		"update":                     {record(ActionUpdate), false, Approved},
		"import":                     {record(ActionImport), false, Approved},
		"import and update":          {record(ActionImport, ActionUpdate), false, Approved},
		"forget":                     {record(ActionForget), false, Approved},
		"outputs only":               {Record{}, false, Approved},
		"replace":                    {record(ActionReplace), false, Waiting},
		"import and replace":         {record(ActionImport, ActionReplace), false, Waiting},
		"delete":                     {record(ActionDelete), false, Waiting},
		"delete of an object going":  {record(ActionDelete), true, Approved},
		"replace of an object going": {record(ActionReplace), true, Approved},
		"nothing of an object going": {Record{}, true, Approved},
		"harmless and harmful together": {Record{Changes: []Change{{Address: key, Actions: []Action{ActionCreate}},
			{Address: vm, Actions: []Action{ActionReplace}}}}, false, Waiting},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			verdict := Decide(test.record, test.deleting)
			assert.Equal(t, test.want, verdict.Decision)
			assert.NotEmpty(t, verdict.Reason)
			if test.want == Waiting {
				assert.Contains(t, verdict.Reason, vm)
				assert.NotContains(t, verdict.Reason, key)
			}
		})
	}
}
