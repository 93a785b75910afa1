package policy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/policy"
	"github.com/capnt/capnt/internal/provider"
)

const examples = "../../config/policies"

// attribute adds an attribute that the plan sets.
func attribute(path, after string) func(*policy.Input) {
	return func(input *policy.Input) {
		change := &input.Plan.Spec.Changes[0]
		change.Attributes = append(change.Attributes, infrav1.PlannedAttribute{Path: path, After: &after})
	}
}

// removed adds an attribute that the plan removes.
func removed(path, before string) func(*policy.Input) {
	return func(input *policy.Input) {
		input.Plan.Spec.Changes[0].Attributes = []infrav1.PlannedAttribute{{Path: path, Before: &before}}
	}
}

// unknown adds an attribute whose value is known only after the apply.
func unknown(path string) func(*policy.Input) {
	return func(input *policy.Input) {
		change := &input.Plan.Spec.Changes[0]
		change.Attributes = append(change.Attributes, infrav1.PlannedAttribute{Path: path, Unknown: true})
	}
}

func memory(size string) func(*policy.Input) {
	return func(input *policy.Input) {
		input.Plan.Spec.Cause = infrav1.PlanCauseUpdate
		input.Machine.Spec.MemorySize = resource.MustParse(size)
	}
}

func project(id *infrav1.NutanixResourceIdentifier) func(*policy.Input) {
	return func(input *policy.Input) {
		input.Plan.Spec.Cause = infrav1.PlanCauseCreate
		input.Machine.Spec.Project = id
	}
}

func machines(count int64) func(*policy.Input) {
	return func(input *policy.Input) {
		input.Plan.Spec.Cause = infrav1.PlanCauseCreate
		input.MachineCount = &count
	}
}

func at(hour int) func(*policy.Input) {
	return func(input *policy.Input) {
		input.Now = time.Date(2026, 12, 4, hour, 30, 0, 0, time.UTC) // a Friday
	}
}

func omitted(input *policy.Input) { input.Plan.Spec.Omitted.Attributes = 1 }

// exampleTests contains cases for each example: changes of driftInput, and the rules that are not satisfied with their verdicts.
var exampleTests = map[string]map[string]struct {
	change func(*policy.Input)
	want   map[string]infrav1.PolicyVerdict
}{
	"no-disruption-on-friday": {
		"on a Wednesday":          {func(*policy.Input) {}, nil},
		"on a Friday":             {at(12), map[string]infrav1.PolicyVerdict{"not-on-friday": infrav1.PolicyVerdictRequireApproval}},
		"on a Saturday in Berlin": {at(23), nil},
		"no disruption on a Friday": {func(input *policy.Input) {
			at(12)(input)
			input.Plan.Spec.Disruption = infrav1.PlanDisruptionNone
		}, nil},
	},
	"memory-limit": {
		"little":     {memory("32Gi"), nil},
		"much":       {memory("32769Mi"), map[string]infrav1.PolicyVerdict{"more-than-32Gi": infrav1.PolicyVerdictRequireApproval}},
		"as allowed": {memory("64Gi"), map[string]infrav1.PolicyVerdict{"more-than-32Gi": infrav1.PolicyVerdictRequireApproval}},
		"too much": {memory("65Gi"), map[string]infrav1.PolicyVerdict{
			"at-most-64Gi": infrav1.PolicyVerdictDeny, "more-than-32Gi": infrav1.PolicyVerdictRequireApproval,
		}},
	},
	"machine-count": {
		"ten":    {machines(10), nil},
		"eleven": {machines(11), map[string]infrav1.PolicyVerdict{"at-most-10": infrav1.PolicyVerdictDeny}},
	},
	"allowed-projects": {
		"allowed": {project(&infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: new("batch")}), nil},
		"other": {project(&infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: new("admin")}),
			map[string]infrav1.PolicyVerdict{"known-project": infrav1.PolicyVerdictDeny}},
		"by UUID": {project(&infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierUUID, UUID: new("x")}),
			map[string]infrav1.PolicyVerdict{"known-project": infrav1.PolicyVerdictDeny}},
		"none": {project(nil), map[string]infrav1.PolicyVerdict{"known-project": infrav1.PolicyVerdictDeny}},
	},
	"allowed-subnets": {
		"none":    {func(*policy.Input) {}, nil},
		"allowed": {attribute("nic_list[1].subnet_uuid", "4f1f7fe4-0a09-4e8a-8c1f-0d9f6f3a0002"), nil},
		"other":   {attribute("nic_list[1].subnet_uuid", "x"), map[string]infrav1.PolicyVerdict{"known-subnets": infrav1.PolicyVerdictDeny}},
		"added":   {attribute("nic_list", `[{"subnet_uuid":"x"}]`), map[string]infrav1.PolicyVerdict{"known-subnets": infrav1.PolicyVerdictDeny}},
		"model":   {attribute("nic_list[1].model", "x"), nil},
		"unknown": {unknown("nic_list[0].subnet_uuid"), map[string]infrav1.PolicyVerdict{"known-subnets": infrav1.PolicyVerdictDeny}},
		"removed": {removed("nic_list[0].subnet_uuid", "x"), nil},
		"omitted": {omitted, map[string]infrav1.PolicyVerdict{"complete": infrav1.PolicyVerdictRequireApproval}},
	},
	"allowed-images": {
		"none":    {func(*policy.Input) {}, nil},
		"allowed": {attribute("disk_list[0].data_source_reference.uuid", "9b3c1f52-6d51-4c39-9d29-0d9f6f3b0001"), nil},
		"other": {attribute("disk_list[1].data_source_reference.uuid", "x"),
			map[string]infrav1.PolicyVerdict{"known-images": infrav1.PolicyVerdictDeny}},
		"added": {attribute("disk_list", `[{"data_source_reference":{"uuid":"x"}}]`),
			map[string]infrav1.PolicyVerdict{"known-images": infrav1.PolicyVerdictDeny}},
		"kind":    {attribute("disk_list[0].data_source_reference.kind", "image"), nil},
		"unknown": {unknown("disk_list[0].data_source_reference.uuid"), map[string]infrav1.PolicyVerdict{"known-images": infrav1.PolicyVerdictDeny}},
		"removed": {removed("disk_list[0].data_source_reference.uuid", "x"), nil},
		"omitted": {omitted, map[string]infrav1.PolicyVerdict{"complete": infrav1.PolicyVerdictRequireApproval}},
	},
}

func readPolicy(t *testing.T, path string) infrav1.NutanixPlanPolicy {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	var p infrav1.NutanixPlanPolicy
	require.NoError(t, yaml.UnmarshalStrict(content, &p), path)
	return p
}

func TestExamples(t *testing.T) {
	for name, cases := range exampleTests {
		p := readPolicy(t, filepath.Join(examples, name+".yaml"))
		assert.Equal(t, name, p.Name)
		assert.Empty(t, policy.ValidateNew(&p), name)
		fails := map[string]bool{}
		for title, tc := range cases {
			t.Run(name+"/"+title, func(t *testing.T) {
				input := driftInput()
				tc.change(&input)
				got := map[string]infrav1.PolicyVerdict{}
				for _, finding := range policy.Evaluate([]infrav1.NutanixPlanPolicy{p}, input) {
					require.NoError(t, finding.Err)
					got[finding.Rule], fails[finding.Rule] = finding.Verdict, true
				}
				assert.Len(t, got, len(tc.want))
				assert.Subset(t, got, tc.want)
			})
		}
		for _, rule := range p.Spec.Rules {
			assert.True(t, fails[rule.Name], "no case of %s fails rule %s", name, rule.Name)
		}
	}
}

func TestKustomizationContainsAllExamples(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(examples, "kustomization.yaml"))
	require.NoError(t, err)
	var kustomization struct{ Resources []string }
	require.NoError(t, yaml.Unmarshal(content, &kustomization))
	var want []string
	for name := range exampleTests {
		want = append(want, name+".yaml")
	}
	assert.ElementsMatch(t, want, kustomization.Resources)
	files, err := filepath.Glob(filepath.Join(examples, "*.yaml"))
	require.NoError(t, err)
	assert.Len(t, files, len(want)+1)
}

// createPlan returns the plan of a new machine that Terraform and the provider have made.
func createPlan(t *testing.T) *infrav1.NutanixPlan {
	t.Helper()
	content, err := os.ReadFile("../plan/testdata/create.json")
	require.NoError(t, err)
	planned := &tfjson.Plan{}
	planned.UseJSONNumber(true)
	require.NoError(t, json.Unmarshal(content, planned))
	generation, err := provider.ForVersion("1.9.5")
	require.NoError(t, err)
	origin := plan.Origin{
		Target: infrav1.PlanTarget{Kind: "NutanixMachine", Namespace: "prod", Name: "m"}, Cause: plan.CauseCreate, Generation: generation,
	}
	return &infrav1.NutanixPlan{Spec: plan.Build(origin, nil, planned).Spec()}
}

// TestExamplesFindTheAttributesOfARealPlan checks that the paths in the examples are those of real plans: the examples deny the plan until
// they allow its subnet and its image.
func TestExamplesFindTheAttributesOfARealPlan(t *testing.T) {
	input := driftInput()
	input.Plan = createPlan(t)
	for name, tc := range map[string]struct{ example, actual string }{
		"allowed-subnets": {"4f1f7fe4-0a09-4e8a-8c1f-0d9f6f3a0001", "547fd76c-6864-5bc7-9828-89f27a212deb"},
		"allowed-images":  {"9b3c1f52-6d51-4c39-9d29-0d9f6f3b0001", "cfb6c326-894a-54ad-bd8a-a12c9f33da39"},
	} {
		t.Run(name, func(t *testing.T) {
			p := readPolicy(t, filepath.Join(examples, name+".yaml"))
			finding := onlyFinding(t, p, input)
			require.NoError(t, finding.Err)
			assert.Equal(t, infrav1.PolicyVerdictDeny, finding.Verdict)
			p.Spec.Rules[0].Expression = strings.Replace(p.Spec.Rules[0].Expression, tc.example, tc.actual, 1)
			assert.Empty(t, policy.Evaluate([]infrav1.NutanixPlanPolicy{p}, input))
		})
	}
}
