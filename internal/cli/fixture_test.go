package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/provider"
)

var update = flag.Bool("update", false, "write the golden files")

// now is the time of all tests.
var now = time.Date(2026, 12, 1, 9, 15, 0, 0, time.UTC)

const (
	namespace    = "prod"
	vmAddress    = "module.machine.nutanix_virtual_machine.this"
	subnetA      = "a1d0a6f2-7c4e-4ad1-9d3b-1c0f7f7f0a11"
	subnetB      = "b2e1b703-8d5f-4be2-8e4c-2d1080800b22"
	project      = "d403d925-af71-4d04-8a6e-4f32a2a20d44"
	driftPlan    = "prod-md-0-9d8v2-9f2c1a-77ab"
	createPlan   = "prod-md-1-000ab-000a0a-1c1c"
	deletePlan   = "prod-kcp-7xk2p-04ac11-5d5d"
	outlierPlan  = "prod-md-1-x2x9q-e0e0e0-9f9f"
	rolloutClass = "1b77e0"
)

// digest returns a digest that begins with short.
func digest(short string) string { return "sha256:" + short + strings.Repeat("0", 64-len(short)) }

// recorded returns the spec of a plan that Terraform and the provider have made (internal/plan/testdata). values replace values of the VM.
func recorded(t testing.TB, file, machine string, cause plan.Cause, values map[string]any) infrav1.NutanixPlanSpec {
	t.Helper()
	return record(t, file, machine, cause, values).Spec()
}

// record returns the record of a plan like recorded.
func record(t testing.TB, file, machine string, cause plan.Cause, values map[string]any) plan.Record {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "plan", "testdata", file))
	require.NoError(t, err)
	planned := &tfjson.Plan{}
	planned.UseJSONNumber(true)
	require.NoError(t, json.Unmarshal(content, planned))
	for _, change := range planned.ResourceChanges {
		if object, exists := change.Change.After.(map[string]any); exists {
			maps.Copy(object, values)
		}
		if object, exists := change.Change.Before.(map[string]any); exists && object["name"] != nil {
			object["name"] = machine
		}
	}
	generation, err := provider.ForVersion("1.9.5")
	require.NoError(t, err)
	return plan.Build(plan.Origin{
		Target:     infrav1.PlanTarget{Key: "key-of-" + machine, Kind: "NutanixMachine", Namespace: namespace, Name: machine, Generation: 1},
		Source:     infrav1.PlanOrigin{Owner: "MachineDeployment/" + machine[:strings.LastIndex(machine, "-")], Cluster: "prod"},
		Generation: generation, Cause: cause, Basis: plan.Basis{Lineage: "6f1d1b6e-8f5c-4d07-a1a7-0d6f5a9a7b10", Serial: 7},
		TerraformVersion: "1.11.4", ProviderVersion: "1.9.5",
	}, content, planned)
}

// waiting returns a plan that waits for an approval. Its digests are replaced, so that the golden files do not depend on their algorithm.
func waiting(spec infrav1.NutanixPlanSpec, name, class string, created time.Duration) infrav1.NutanixPlan {
	change := strings.TrimPrefix(name, spec.Target.Name+"-")
	spec.ChangeDigest, spec.ClassDigest = digest(change[:6]), digest(class)
	return infrav1.NutanixPlan{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.NewTime(now.Add(-created))},
		Spec:       spec,
		Status: infrav1.NutanixPlanStatus{Phase: infrav1.PlanPhaseWaiting, WaitingFor: []string{"1 of 1 approvals", "approval mode is Always"},
			ExpirationTime: &metav1.Time{Time: now.Add(24*time.Hour - created)}},
	}
}

// drift returns a plan that sets the memory of a running machine back.
func drift(t testing.TB) infrav1.NutanixPlan {
	const machine = "prod-md-0-9d8v2"
	spec := recorded(t, "update.json", machine, plan.CauseDrift, map[string]any{"name": machine})
	spec.Origin.Author, spec.Origin.Source, spec.Origin.Revision = "app-owner@example.com", "NutanixMachineTemplate/prod-md-0-v3", "main@sha1:5e1f0c2"
	plan := waiting(spec, driftPlan, "5e5e5e", 2*time.Minute)
	plan.Status.WaitingFor = []string{"1 of 1 approvals, not by the author of the change",
		"the plan has disruption class PowerCycle: it changes memory_size_mib of " + vmAddress,
		"policy prod/no-disruption-on-friday: disruptive change (PowerCycle) of prod-md-0-9d8v2 on a Friday"}
	return plan
}

// creationOf returns the spec of a plan that creates a VM in a subnet.
func creationOf(t testing.TB, machine, subnet string) infrav1.NutanixPlanSpec {
	return creationRecord(t, machine, subnet).Spec()
}

func creationRecord(t testing.TB, machine, subnet string) plan.Record {
	return record(t, "create.json", machine, plan.CauseCreate, map[string]any{
		"name": machine, "description": "CAPNT key-of-" + machine, "memory_size_mib": json.Number("16384"),
		"num_vcpus_per_socket": json.Number("2"), "project_reference": map[string]any{"kind": "project", "uuid": project},
		"nic_list":   []any{map[string]any{"is_connected": "true", "subnet_uuid": subnet}},
		"categories": []any{map[string]any{"name": "KubernetesClusterName", "value": "prod"}, map[string]any{"name": "env", "value": "production"}},
		"guest_customization_cloud_init_user_data": fmt.Sprintf("(sensitive value %.12s)", fmt.Sprintf("%x000000000000", machine[10:])),
	})
}

// deletion returns a plan that was applied.
func deletion(t testing.TB) infrav1.NutanixPlan {
	plan := waiting(recorded(t, "delete.json", "prod-kcp-7xk2p", plan.CauseDelete, nil), deletePlan, "d4d4d4", 9*time.Minute)
	plan.Status = infrav1.NutanixPlanStatus{Phase: infrav1.PlanPhaseApplied, FinishedTime: ptr.To(metav1.NewTime(now.Add(-8 * time.Minute))),
		Message: "the object is being deleted"}
	return plan
}

// rollout returns the plans of a rollout of count machines.
func rollout(t testing.TB, count int) []infrav1.NutanixPlan {
	var plans []infrav1.NutanixPlan
	for i := range count {
		machine := fmt.Sprintf("prod-md-1-%03dab", i)
		plans = append(plans, waiting(creationOf(t, machine, subnetA), fmt.Sprintf("%s-%03da0a-1c1c", machine, i), rolloutClass, 40*time.Second))
	}
	return plans
}

// objects returns a rollout of twelve machines with one outlier, a plan for drift, and a plan that was applied.
func objects(t testing.TB) []client.Object {
	t.Helper()
	plans := append(rollout(t, 12), deletion(t), drift(t),
		waiting(creationOf(t, "prod-md-1-x2x9q", subnetB), outlierPlan, "7a7a7a", 40*time.Second))
	var objects []client.Object
	for i := range plans {
		objects = append(objects, &plans[i])
	}
	return append(objects, machine("prod-md-0-9d8v2", "prod-a", true), machine("prod-md-1-000ab", "prod-a", false),
		machine("prod-md-1-x2x9q", "prod-b", false), owner("prod-md-0-9d8v2"), workloadCluster(t, 41))
}

func machine(name, subnet string, provisioned bool) *infrav1.NutanixMachine {
	identifier := func(name string) *infrav1.NutanixResourceIdentifier {
		return &infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: ptr.To(name)}
	}
	result := &infrav1.NutanixMachine{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1},
		Spec: infrav1.NutanixMachineSpec{
			VCPUSockets: 2, VCPUsPerSocket: 2, MemorySize: resource.MustParse("16Gi"), SystemDiskSize: resource.MustParse("100Gi"),
			Image: identifier("ubuntu-22.04-kube-v1.33"), Cluster: *identifier("pe-1"), Project: identifier("web"),
			Subnets: []infrav1.NutanixResourceIdentifier{*identifier(subnet)},
		},
	}
	if provisioned {
		result.OwnerReferences = []metav1.OwnerReference{{APIVersion: clusterv1.GroupVersion.String(), Kind: "Machine", Name: name, UID: "1"}}
	}
	return result
}

func owner(name string) *clusterv1.Machine {
	return &clusterv1.Machine{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       clusterv1.MachineSpec{ClusterName: "prod"},
		Status: clusterv1.MachineStatus{
			NodeRef:    clusterv1.MachineNodeReference{Name: name},
			Conditions: []metav1.Condition{{Type: clusterv1.MachineNodeReadyCondition, Status: metav1.ConditionTrue, Reason: "Ready"}},
		},
	}
}

// program is the program with a fake API server.
type program struct {
	client.WithWatch
	config Config
	out    bytes.Buffer
	err    bytes.Buffer
}

// IsWatchListSemanticsUnSupported tells client-go that a fake watch does not begin with the existing objects.
func (*program) IsWatchListSemanticsUnSupported() bool { return true }

func newProgram(t testing.TB, objects ...client.Object) *program {
	t.Helper()
	scheme, err := Scheme()
	require.NoError(t, err)
	result := &program{WithWatch: fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithIndex(&infrav1.NutanixPlan{}, "metadata.name", func(object client.Object) []string { return []string{object.GetName()} }).
		WithStatusSubresource(&infrav1.NutanixPlan{}).Build()}
	result.config = Config{
		Program: "kubectl capnt", Version: "v0.2.0", In: strings.NewReader(""), Out: &result.out, Err: &result.err,
		Now: func() time.Time { return now },
		Connect: func() (*Cluster, error) {
			return &Cluster{WithWatch: result, Namespace: namespace, Username: func(context.Context) (string, error) { return "approver@example.com", nil }}, nil
		},
	}
	return result
}

// answer lets a person at a terminal give answers.
func (p *program) answer(lines string) {
	p.config.Interactive = true
	p.config.In = strings.NewReader(lines)
}

// run runs the program and returns the exit code. out and err contain the output of this run alone.
func (p *program) run(t testing.TB, args ...string) int {
	t.Helper()
	p.out.Reset()
	p.err.Reset()
	return Run(t.Context(), p.config, args)
}

// golden compares output with a golden file.
func golden(t *testing.T, name, output string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(output), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update")
	assert.Equal(t, string(want), output)
}
