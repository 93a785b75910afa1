package terraform

import (
	"fmt"
	"regexp"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRedactMasksBothSides(t *testing.T) {
	t.Parallel()
	plan := &tfjson.Plan{
		Variables: map[string]*tfjson.PlanVariable{"user_data": {Value: "hush"}},
		ResourceChanges: []*tfjson.ResourceChange{{Change: &tfjson.Change{
			Before:         map[string]any{"secret": "old", "list": []any{"a", "b"}, "guest_customization_cloud_init_user_data": "aHVzaA==", "name": "vm"},
			After:          map[string]any{"secret": "new", "list": []any{"a", "c"}, "guest_customization_cloud_init_user_data": nil, "name": "with token-1234 inside"},
			AfterSensitive: map[string]any{"secret": true, "list": []any{false, true}, "gone": true},
		}}},
		ResourceDrift: []*tfjson.ResourceChange{{Change: &tfjson.Change{Before: "hush", BeforeSensitive: true}}, {}},
		OutputChanges: map[string]*tfjson.Change{"a": {Before: nil, After: "x", AfterSensitive: true}},
	}
	redactor{scrub: newScrubber(nil, map[string]string{"NUTANIX_PASSWORD": "token-1234"})}.plan(plan)

	change := plan.ResourceChanges[0].Change
	assert.Equal(t, map[string]any{"secret": sensitiveMark, "list": []any{"a", sensitiveMark}, "guest_customization_cloud_init_user_data": sensitiveMark, "name": "vm"}, change.Before)
	assert.Equal(t, map[string]any{"secret": changedMark, "list": changedMark, "guest_customization_cloud_init_user_data": nil, "name": "with (redacted) inside"}, change.After)
	assert.Nil(t, plan.Variables)
	assert.Equal(t, sensitiveMark, plan.ResourceDrift[0].Change.Before)
	assert.Nil(t, plan.OutputChanges["a"].Before)
	assert.Equal(t, sensitiveMark, plan.OutputChanges["a"].After)
}

// secretPlan returns a plan in which every place that can contain a value contains secret.
func secretPlan(secret string) *tfjson.Plan {
	change := func() *tfjson.Change {
		bootstrap := func() map[string]any {
			return map[string]any{
				"guest_customization_cloud_init_user_data":     secret,
				"guest_customization_sysprep":                  map[string]any{"unattend_xml": secret},
				"guest_customization_sysprep_custom_key_value": map[string]any{secret: "x"},
				"guest_customization":                          []any{map[string]any{"config": []any{map[string]any{"cloud_init": []any{map[string]any{"script": secret}}}}}},
				"cloud_init_script":                            []any{map[string]any{"user_data": []any{map[string]any{"value": secret}}}},
				"ngt_credentials":                              map[string]any{"password": secret},
				"marked":                                       secret,
			}
		}
		return &tfjson.Change{
			Before: bootstrap(), After: bootstrap(), AfterSensitive: map[string]any{"marked": true},
			BeforeIdentity: map[string]any{"user_data": secret}, AfterIdentity: map[string]any{"user_data": secret}, GeneratedConfig: secret,
		}
	}
	return &tfjson.Plan{
		Variables:       map[string]*tfjson.PlanVariable{"user_data": {Value: secret}},
		PlannedValues:   &tfjson.StateValues{Outputs: map[string]*tfjson.StateOutput{"x": {Value: secret}}},
		PriorState:      &tfjson.State{Values: &tfjson.StateValues{Outputs: map[string]*tfjson.StateOutput{"x": {Value: secret}}}},
		Checks:          []tfjson.CheckResultStatic{{Instances: []tfjson.CheckResultDynamic{{Problems: []tfjson.CheckResultProblem{{Message: secret}}}}}},
		ResourceChanges: []*tfjson.ResourceChange{{Change: change()}},
		ResourceDrift:   []*tfjson.ResourceChange{{Change: change()}},
		DeferredChanges: []*tfjson.DeferredResourceChange{{ResourceChange: &tfjson.ResourceChange{Change: change()}}, {}},
		OutputChanges:   map[string]*tfjson.Change{"a": {Before: secret, After: secret, BeforeSensitive: true}},
		ActionInvocations: []*tfjson.ActionInvocation{{
			ConfigValues: map[string]any{"marked": secret, "user_data": secret}, ConfigSensitive: map[string]any{"marked": true},
		}},
	}
}

func TestRedactMasksUnmarkedBootstrapData(t *testing.T) {
	t.Parallel()
	for name, key := range map[string][]byte{"with a key": []byte("key"), "without a key": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := secretPlan("s3cr3t")
			require.Contains(t, printed(t, plan), "s3cr3t")
			redactor{scrub: newScrubber(nil), key: key}.plan(plan)
			assert.NotContains(t, printed(t, plan), "s3cr3t")
		})
	}
}

func TestFingerprintShowsWhetherASecretChanges(t *testing.T) {
	t.Parallel()
	redacted := func(key, before, after string) *tfjson.Change {
		change := &tfjson.Change{
			Before: map[string]any{"list": []any{map[string]any{"a": before, "b": "public"}}},
			After:  map[string]any{"list": []any{map[string]any{"a": after, "b": "public"}}}, AfterSensitive: map[string]any{"list": []any{map[string]any{"a": true}}},
		}
		redactor{scrub: newScrubber(nil), key: []byte(key)}.change(change)
		return change
	}
	value := func(side any) string {
		found := regexp.MustCompile(`^map\[list:\[map\[a:(.*) b:public\]\]\]$`).FindStringSubmatch(fmt.Sprint(side))
		require.NotNil(t, found, side)
		return found[1]
	}
	change := redacted("key", "old", "new")
	assert.Regexp(t, `^\(sensitive value [0-9a-f]{12}\)$`, value(change.Before))
	assert.Regexp(t, `^\(sensitive value [0-9a-f]{12}\)$`, value(change.After))
	assert.NotEqual(t, value(change.Before), value(change.After))

	again := redacted("key", "old", "old")
	assert.Equal(t, value(change.Before), value(again.Before), "the same value has the same fingerprint in every plan")
	assert.Equal(t, again.Before, again.After)
	assert.NotEqual(t, value(change.Before), value(redacted("another key", "old", "new").Before))
}

func TestRedactKeepsEmptyValuesAndQuotesValuesThatLookLikeMarks(t *testing.T) {
	t.Parallel()
	change := &tfjson.Change{After: map[string]any{
		"guest_customization_sysprep": map[string]any{}, "guest_customization_is_overridable": false,
		"guest_customization_cloud_init_user_data": "", "description": "(sensitive value 0123456789ab)",
	}}
	redactor{scrub: newScrubber(nil), key: []byte("key")}.change(change)
	assert.Equal(t, map[string]any{
		"guest_customization_sysprep": map[string]any{}, "guest_customization_is_overridable": false,
		"guest_customization_cloud_init_user_data": "", "description": `"(sensitive value 0123456789ab)"`,
	}, change.After)
}

func TestRedactReplacesAMarkedValueEverywhere(t *testing.T) {
	t.Parallel()
	plan := &tfjson.Plan{
		ResourceChanges: []*tfjson.ResourceChange{{Change: &tfjson.Change{
			Before: map[string]any{"input": map[string]any{"secrets": []any{"old-secret"}}, "output": "with old-secret in it", "id": "on"},
			After:  map[string]any{"input": map[string]any{"secrets": []any{"on"}}}, BeforeSensitive: map[string]any{"input": map[string]any{"secrets": true}},
		}}},
		ResourceDrift: []*tfjson.ResourceChange{{Change: &tfjson.Change{Before: map[string]any{"output": "old-secret"}}}},
		OutputChanges: map[string]*tfjson.Change{"a": {After: "old-secret"}},
	}
	redactor{scrub: newScrubber(nil), key: []byte("key")}.plan(plan)
	assert.NotContains(t, printed(t, plan), "old-secret")
	assert.Equal(t, "with (redacted) in it", plan.ResourceChanges[0].Change.Before.(map[string]any)["output"])
	assert.Equal(t, "on", plan.ResourceChanges[0].Change.Before.(map[string]any)["id"], "a short value could be there by chance")
}
