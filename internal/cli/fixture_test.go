package cli

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

var update = flag.Bool("update", false, "write the golden files")

// now is the time of all tests.
var now = time.Date(2026, 12, 1, 9, 15, 0, 0, time.UTC)

const (
	namespace    = "prod"
	vmAddress    = "module.machine.nutanix_virtual_machine.this"
	prismElement = "0005b6b1-0b16-4983-b5ff-204840f85e07"
	subnetA      = "a1d0a6f2-7c4e-4ad1-9d3b-1c0f7f7f0a11"
	subnetB      = "b2e1b703-8d5f-4be2-8e4c-2d1080800b22"
	image        = "c3f2c814-9e60-4cf3-9f5d-3e2191910c33"
	project      = "d403d925-af71-4d04-8a6e-4f32a2a20d44"
	driftPlan    = "prod-md-0-9d8v2-9f2c1a-77ab"
	createPlan   = "prod-md-1-00abc-0a0a0a-1c1c"
	deletePlan   = "prod-kcp-7xk2p-04ac11-5d5d"
	outlierPlan  = "prod-md-1-x2x9q-e0e0e0-9f9f"
	rolloutClass = "1b77e0"
)

// digest returns a digest that begins with short.
func digest(short string) string { return "sha256:" + short + strings.Repeat("0", 64-len(short)) }

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

// newPlan returns a plan that waits for one approval.
func newPlan(name, machine string, cause infrav1.PlanCause, change, class string) infrav1.NutanixPlan {
	return infrav1.NutanixPlan{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.NewTime(now.Add(-2 * time.Minute))},
		Spec: infrav1.NutanixPlanSpec{
			Target:       infrav1.PlanTarget{Key: "key-of-" + machine, Kind: "NutanixMachine", Namespace: namespace, Name: machine, Generation: 1},
			Cause:        cause,
			Disruption:   infrav1.PlanDisruptionNone,
			ChangeDigest: digest(change),
			ClassDigest:  digest(class),
			State:        infrav1.PlanState{Lineage: "6f1d1b6e-8f5c-4d07-a1a7-0d6f5a9a7b10", Serial: 7},
			File:         &infrav1.PlanFile{SHA256: strings.Repeat("ab", 32), SecretName: name, Terraform: "1.11.4", Provider: "2.4.2"},
			Signature:    "hmac-sha256:" + strings.Repeat("cd", 32),
		},
		Status: infrav1.NutanixPlanStatus{Phase: infrav1.PlanPhaseWaiting, WaitingFor: []string{"1 of 1 approvals"}},
	}
}

// drift returns a plan that halves the memory of a running machine.
func drift() infrav1.NutanixPlan {
	plan := newPlan(driftPlan, "prod-md-0-9d8v2", infrav1.PlanCauseDrift, "9f2c1a", "5e5e5e")
	memory := attribute("memory_size_mib", "16384", "8192")
	memory.Disruption = infrav1.PlanDisruptionPowerCycle
	plan.Spec.Disruption = infrav1.PlanDisruptionPowerCycle
	plan.Spec.Summary = "~1"
	plan.Spec.Counts.Update = 1
	plan.Spec.Origin = infrav1.PlanOrigin{Author: "app-owner@example.com", Source: "NutanixMachineTemplate/prod-md-0-v3",
		Owner: "MachineDeployment/prod-md-0", Cluster: "prod", Revision: "main@sha1:5e1f0c2"}
	plan.Spec.Changes = []infrav1.PlannedChange{{Address: vmAddress, Actions: []string{"update"}, Disruption: infrav1.PlanDisruptionPowerCycle,
		Attributes: []infrav1.PlannedAttribute{memory, attribute("description", "edited by hand", "CAPNT key-of-prod-md-0-9d8v2")}}}
	plan.Status.WaitingFor = []string{"1 of 1 approvals, not by app-owner@example.com, the author", "policy no-disruption-on-friday: RequireApproval"}
	return plan
}

// creation returns a plan that creates a VM in a subnet.
func creation(name, machine, change, class, subnet string) infrav1.NutanixPlan {
	plan := newPlan(name, machine, infrav1.PlanCauseCreate, change, class)
	plan.CreationTimestamp = metav1.NewTime(now.Add(-40 * time.Second))
	plan.Spec.State.Serial = 0
	plan.Spec.Summary = "+1"
	plan.Spec.Counts.Create = 1
	plan.Spec.Origin = infrav1.PlanOrigin{Owner: "MachineDeployment/prod-md-1", Cluster: "prod"}
	values := [][2]string{
		{"name", machine}, {"description", "CAPNT key-of-" + machine}, {"cluster_uuid", prismElement},
		{"num_sockets", "2"}, {"num_vcpus_per_socket", "2"}, {"memory_size_mib", "16384"}, {"hardware_clock_timezone", "UTC"},
		{"project_reference.kind", "project"}, {"project_reference.uuid", project}, {"nic_list[0].subnet_uuid", subnet},
		{"disk_list[0].disk_size_mib", "102400"}, {"disk_list[0].disk_size_bytes", "107374182400"},
		{"disk_list[0].data_source_reference.kind", "image"}, {"disk_list[0].data_source_reference.uuid", image},
		{"disk_list[0].device_properties[0].device_type", "DISK"},
		{"disk_list[0].device_properties[0].disk_address.adapter_type", "SCSI"},
		{"disk_list[0].device_properties[0].disk_address.device_index", "0"},
		{"categories[0].name", "KubernetesClusterName"}, {"categories[0].value", "prod"},
		{"categories[1].name", "env"}, {"categories[1].value", "production"},
		{"guest_customization_cloud_init_user_data", "(sensitive value, hmac-sha256:6f1d1b6e)"},
		{"guest_customization_cloud_init_meta_data", "eyJob3N0bmFtZSI6InByb2QtbWQtMSJ9"},
	}
	create := infrav1.PlannedChange{Address: vmAddress, Actions: []string{"create"}, Disruption: infrav1.PlanDisruptionNone}
	for _, value := range values {
		create.Attributes = append(create.Attributes, attribute(value[0], "", value[1]))
	}
	for i := range 38 {
		create.Attributes = append(create.Attributes, infrav1.PlannedAttribute{Path: fmt.Sprintf("computed_%02d", i), Unknown: true})
	}
	plan.Spec.Changes = []infrav1.PlannedChange{create}
	return plan
}

// deletion returns a plan that was applied.
func deletion() infrav1.NutanixPlan {
	plan := newPlan(deletePlan, "prod-kcp-7xk2p", infrav1.PlanCauseDelete, "04ac11", "d4d4d4")
	plan.CreationTimestamp = metav1.NewTime(now.Add(-9 * time.Minute))
	plan.Spec.Disruption = infrav1.PlanDisruptionDestroy
	plan.Spec.Summary = "-1"
	plan.Spec.Counts.Delete = 1
	plan.Spec.Changes = []infrav1.PlannedChange{{Address: vmAddress, Actions: []string{"delete"}, Disruption: infrav1.PlanDisruptionDestroy,
		Attributes: []infrav1.PlannedAttribute{attribute("name", "prod-kcp-7xk2p", ""), attribute("memory_size_mib", "8192", "")}}}
	plan.Status = infrav1.NutanixPlanStatus{Phase: infrav1.PlanPhaseApplied, FinishedTime: ptr.To(metav1.NewTime(now.Add(-8 * time.Minute))),
		Message: "the object is being deleted"}
	return plan
}

// objects returns a rollout of twelve machines with one outlier, a plan for drift, and a plan that was applied.
func objects() []client.Object {
	var objects []client.Object
	add := func(plan infrav1.NutanixPlan) { objects = append(objects, &plan) }
	add(deletion())
	for i := range 12 {
		machine := fmt.Sprintf("prod-md-1-%02dabc", i)
		change := fmt.Sprintf("%02da0a0a", i)
		if i == 0 {
			change = "0a0a0a"
		}
		add(creation(fmt.Sprintf("%s-%s-1c1c", machine, change), machine, change, rolloutClass, subnetA))
	}
	add(creation(outlierPlan, "prod-md-1-x2x9q", "e0e0e0", "7a7a7a", subnetB))
	add(drift())
	return append(objects, machine("prod-md-0-9d8v2", "prod-a", true), machine("prod-md-1-00abc", "prod-a", false),
		machine("prod-md-1-x2x9q", "prod-b", false), owner("prod-md-0-9d8v2"))
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
