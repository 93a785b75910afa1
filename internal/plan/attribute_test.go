package plan

import (
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"

	"github.com/capnt/capnt/internal/provider"
)

func TestChangedValues(t *testing.T) {
	type object = map[string]any
	tests := map[string]struct {
		before, after, unknown any
		want                   []string
	}{
		"nothing":                      {object{"name": "a", "list": []any{1.0}}, object{"name": "a", "list": []any{1.0}}, object{}, nil},
		"a value":                      {object{"memory_size_mib": 4096.0}, object{"memory_size_mib": 8192.0}, object{}, []string{"memory_size_mib"}},
		"known after the apply":        {object{"state": "ON"}, object{}, object{"state": true}, []string{"state"}},
		"known after the apply inside": {object{"nics": []any{object{"ip": "a", "uuid": "u"}}}, object{"nics": []any{object{"uuid": "u"}}}, object{"nics": []any{object{"ip": true}}}, []string{"nics[0].ip"}},
		"unknown in a value":           {object{"tags": "a"}, object{"tags": "a"}, object{"tags": []any{object{"x": true}}}, []string{"tags"}},
		"inside a list": {object{"categories": []any{object{"name": "a", "value": "1"}, object{"name": "b", "value": "1"}}},
			object{"categories": []any{object{"name": "a", "value": "1"}, object{"name": "b", "value": "2"}}}, object{}, []string{"categories[1].value"}},
		"another length":          {object{"disk_list": []any{1.0}}, object{"disk_list": []any{1.0, 2.0}}, object{}, []string{"disk_list"}},
		"a null and an empty one": {object{"gpu_list": nil}, object{"gpu_list": []any{}}, object{}, []string{"gpu_list"}},
		"added and removed":       {object{"a": "x", "same": nil}, object{"b": "x"}, object{}, []string{"a", "b"}},
		"a key of a user":         {object{"values": object{"My Key": "a"}}, object{"values": object{"My Key": "b"}}, object{}, []string{`values["My Key"]`}},
		"several keys of a user":  {object{"values": object{"K1": "a", "K2": "a"}}, object{"values": object{"K1": "b", "K2": "b"}}, object{}, []string{"values.K1", "values.K2"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var paths []string
			for _, value := range changedValues(&tfjson.Change{Before: test.before, After: test.after, AfterUnknown: test.unknown}) {
				paths = append(paths, value.Path)
			}
			assert.Equal(t, test.want, paths)
		})
	}
}

func TestDisruptionOfChange(t *testing.T) {
	changed := func(before, after map[string]any) *tfjson.ResourceChange {
		change := resource(vm, tfjson.ActionUpdate)
		change.Change.Before, change.Change.After = before, after
		return change
	}
	type object = map[string]any
	tests := map[string]struct {
		change *tfjson.ResourceChange
		want   provider.Class
	}{
		"description":          {changed(object{"description": "a"}, object{"description": "b"}), provider.None},
		"memory":               {changed(object{"memory_size_mib": 1.0}, object{"memory_size_mib": 2.0}), provider.PowerCycle},
		"name and memory":      {changed(object{"name": "a", "memory_size_mib": 1.0}, object{"name": "b", "memory_size_mib": 2.0}), provider.PowerCycle},
		"an unknown one":       {changed(object{"added_later": 1.0}, object{"added_later": 2.0}), provider.Replace},
		"an update of nothing": {changed(object{}, object{}), provider.Replace},
		"import":               {imported(resource(vm, tfjson.ActionNoop)), provider.None},
		"import and memory":    {imported(changed(object{"memory_size_mib": 1.0}, object{"memory_size_mib": 2.0})), provider.PowerCycle},
		"create":               {resource(vm, tfjson.ActionCreate), provider.None},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, resourceChange(test.change, generation(t)).Disruption)
		})
	}
}
