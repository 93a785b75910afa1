package provisioning

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/terraform"
)

func dependencies(t *testing.T, objects ...client.Object) (*Dependencies, client.WithWatch) {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, clientgoscheme.AddToScheme(scheme))
	require.NoError(t, infrav1.AddToScheme(scheme))
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&infrav1.NutanixMachine{}).Build()
	return &Dependencies{Client: api, Reader: api, ProviderVersion: "1.9.5", DriftInterval: time.Hour,
		Recorder: events.NewFakeRecorder(100), Pipeline: &lifecycle.Pipeline{TerraformVersion: "1.11.4", ProviderVersion: "1.9.5"}}, api
}

func machine(change ...func(*infrav1.NutanixMachine)) *infrav1.NutanixMachine {
	made := &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "m", UID: "uid-1", Finalizers: []string{"f"}}}
	for _, change := range change {
		change(made)
	}
	return made
}

func TestSettings(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "backend"}, Data: map[string][]byte{"AWS_SECRET_ACCESS_KEY": []byte("s3cr3t")}}
	unknown := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "unknown"}, Data: map[string][]byte{"PATH": []byte("s3cr3t")}}
	s3 := func(name string) *infrav1.TerraformSpec {
		return &infrav1.TerraformSpec{Backend: &infrav1.TerraformBackend{Type: "s3", ConfigSecretRef: &corev1.LocalObjectReference{Name: name}}}
	}
	tests := map[string]struct {
		spec            *infrav1.TerraformSpec
		backend, reason string
	}{
		"default":                  {nil, "kubernetes", ""},
		"no settings":              {&infrav1.TerraformSpec{}, "kubernetes", ""},
		"our version":              {&infrav1.TerraformSpec{ProviderVersion: "1.9.5"}, "kubernetes", ""},
		"another version":          {&infrav1.TerraformSpec{ProviderVersion: "2.4.2"}, "", "ProviderVersionUnavailable"},
		"a backend with secrets":   {s3("backend"), "s3", ""},
		"a Secret that is missing": {s3("nobody"), "", "BackendConfigNotFound"},
		"one shared state":         {&infrav1.TerraformSpec{Backend: &infrav1.TerraformBackend{Type: "http", Config: map[string]string{"address": "https://x"}}}, "", "BackendConfigInvalid"},
		"an unknown variable":      {s3("unknown"), "", "BackendConfigInvalid"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d, _ := dependencies(t, secret.DeepCopy(), unknown.DeepCopy())
			cluster := &infrav1.NutanixCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "c"}, Spec: infrav1.NutanixClusterSpec{Terraform: test.spec}}
			settings, backend, err := d.Settings(t.Context(), cluster, "NutanixMachine", machine())
			if test.reason != "" {
				var problem *Problem
				require.ErrorAs(t, err, &problem)
				assert.Equal(t, test.reason, problem.Reason)
				assert.NotContains(t, problem.Message, "s3cr3t")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "1.9.5", settings.ProviderVersion)
			assert.Equal(t, test.backend, settings.Backend.Type)
			assert.NotContains(t, fmt.Sprint(settings), "s3cr3t", "what is rendered holds no secret")
			assert.Equal(t, test.backend == "s3", backend.Environment["AWS_SECRET_ACCESS_KEY"] == "s3cr3t")
		})
	}
}

func TestCheckInterval(t *testing.T) {
	d, _ := dependencies(t)
	cluster := &infrav1.NutanixCluster{}
	assert.Equal(t, time.Hour, d.CheckInterval(cluster))
	cluster.Spec.Terraform = &infrav1.TerraformSpec{Drift: &infrav1.TerraformDrift{}}
	assert.Equal(t, time.Hour, d.CheckInterval(cluster))
	cluster.Spec.Terraform.Drift.IntervalSeconds = ptr.To[int32](90)
	assert.Equal(t, 90*time.Second, d.CheckInterval(cluster))
}

func TestWorkspaceKeyIsTheFirstUID(t *testing.T) {
	d, api := dependencies(t, machine())
	object := machine()
	require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(object), object))
	assert.False(t, d.HasWorkspaceKey(object))
	object.Spec.ProviderID = "pending"
	require.NoError(t, d.EnsureWorkspaceKey(t.Context(), "NutanixMachine", object, "", "1.9.5"))
	assert.Equal(t, "uid-1", WorkspaceKey(object))
	assert.Equal(t, "pending", object.Spec.ProviderID, "what is not written yet stays")
	stored := machine()
	require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(object), stored))
	assert.Equal(t, "uid-1", WorkspaceKey(stored))
	assert.Empty(t, stored.Spec.ProviderID, "and is not written by the way")

	stored.UID = "uid-after-a-move"
	require.NoError(t, d.EnsureWorkspaceKey(t.Context(), "NutanixMachine", stored, "", "1.9.5"))
	assert.Equal(t, "uid-1", WorkspaceKey(stored), "a move changes the UID and not the key")
}

// Objects with the same name in two management clusters have different states. An object keeps its state when its UID
// changes. Objects of v0.1.0 keep the suffix of that release.
func TestStateSuffix(t *testing.T) {
	const kind = "NutanixMachine"
	d, api := dependencies(t, machine())
	object := machine()
	require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(object), object))
	suffix := StateSuffix(kind, object)
	require.NoError(t, d.EnsureWorkspaceKey(t.Context(), kind, object, "", "1.9.5"))
	stored := machine()
	require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(object), stored))
	assert.Equal(t, suffix, stored.Annotations[infrav1.StateSuffixAnnotation])
	assert.Contains(t, suffix, "uid-1")
	stored.UID = "uid-after-a-move"
	assert.Equal(t, suffix, StateSuffix(kind, stored))

	recreated := machine(func(m *infrav1.NutanixMachine) { m.UID = "uid-2" })
	assert.NotEqual(t, suffix, StateSuffix(kind, recreated))

	old := machine(func(m *infrav1.NutanixMachine) {
		m.Annotations = map[string]string{infrav1.WorkspaceKeyAnnotation: "uid-1"}
	})
	require.NoError(t, d.EnsureWorkspaceKey(t.Context(), kind, old, "", "1.9.5"))
	assert.NotContains(t, old.Annotations, infrav1.StateSuffixAnnotation)
	assert.Equal(t, lifecycle.StateSuffix(kind, old.Namespace, old.Name, ""), StateSuffix(kind, old))
}

func TestIgnores(t *testing.T) {
	d, _ := dependencies(t)
	labelled := machine(func(m *infrav1.NutanixMachine) { m.Labels = map[string]string{clusterv1.WatchLabel: "ours"} })
	external := machine(func(m *infrav1.NutanixMachine) { m.Annotations = map[string]string{clusterv1.ManagedByAnnotation: ""} })
	assert.False(t, d.Ignores(machine()))
	assert.False(t, d.Ignores(labelled))
	assert.True(t, d.Ignores(external))
	d.WatchFilterValue = "ours"
	assert.True(t, d.Ignores(machine()))
	assert.False(t, d.Ignores(labelled))
	d.WatchFilterValue = "theirs"
	assert.True(t, d.Ignores(labelled))
}

func TestReleased(t *testing.T) {
	tests := map[string]struct {
		now  *infrav1.NutanixMachine
		gone bool
	}{
		"it exists":                  {machine(), false},
		"it has no finalizer":        {machine(func(m *infrav1.NutanixMachine) { m.Finalizers = []string{"other"} }), true},
		"another object of its name": {machine(func(m *infrav1.NutanixMachine) { m.UID = "uid-2" }), true},
		"it does not exist":          {machine(func(m *infrav1.NutanixMachine) { m.Name = "other" }), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d, _ := dependencies(t, test.now)
			gone, err := d.Released(t.Context(), machine(), "f")
			require.NoError(t, err)
			assert.Equal(t, test.gone, gone)
		})
	}
	d, api := dependencies(t, machine())
	d.Reader = interceptor.NewClient(api, interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return errors.New("no connection")
		},
	})
	gone, err := d.Released(t.Context(), machine(), "f")
	require.Error(t, err)
	assert.False(t, gone, "who cannot ask does not know")
}

func TestRemembered(t *testing.T) {
	object := machine()
	assert.Zero(t, Remembered(object, nil))
	object.Annotations = map[string]string{infrav1.AppliedWorkspaceAnnotation: "v2:d"}
	assert.Equal(t, lifecycle.Remembered{Workspace: "v2:d"}, Remembered(object, nil), "after a move")
	object.Annotations = nil
	status := &infrav1.TerraformStatus{WorkspaceDigest: "v2:d", Lineage: "l", Serial: 3}
	want := lifecycle.Remembered{Applied: lifecycle.Applied{WorkspaceDigest: "v2:d", Lineage: "l", Serial: 3}}
	assert.Equal(t, want, Remembered(object, status))
	assert.True(t, Remembered(object, &infrav1.TerraformStatus{WorkspaceDigest: "d"}).Outdated, "a digest of CAPNT 0.1")
	assert.False(t, Remembered(object, &infrav1.TerraformStatus{}).Outdated, "nothing was applied")
	want.Checked = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	status.LastAppliedTime = &metav1.Time{Time: want.Checked}
	assert.Equal(t, want, Remembered(object, status))
	want.Checked, want.Digest = want.Checked.Add(time.Hour), "infrastructure"
	status.LastCheckTime, status.InfrastructureDigest = &metav1.Time{Time: want.Checked}, want.Digest
	assert.Equal(t, want, Remembered(object, status), "the last check is newer than the last apply")

	Set(object, infrav1.AppliedCondition, metav1.ConditionTrue, infrav1.AppliedReason, "")
	want.Current = true
	assert.Equal(t, want, Remembered(object, status))
	object.Generation++
	want.Current = false
	assert.Equal(t, want, Remembered(object, status), "the spec has changed")
	Set(object, infrav1.AppliedCondition, metav1.ConditionFalse, infrav1.ApplyFailedReason, "x")
	want.Unfinished = true
	assert.Equal(t, want, Remembered(object, status))

	Set(object, infrav1.AppliedCondition, metav1.ConditionTrue, infrav1.AppliedReason, "")
	Set(object, infrav1.PlanRecordedCondition, metav1.ConditionTrue, infrav1.DisruptivePlanReason, "x")
	want.Current = true
	assert.Equal(t, want, Remembered(object, status), "a plan waited when the last process ended")
}

func TestPublish(t *testing.T) {
	inSync := func(m *infrav1.NutanixMachine) {
		Set(m, infrav1.AppliedCondition, metav1.ConditionTrue, infrav1.AppliedReason, "")
	}
	failed := func(m *infrav1.NutanixMachine) {
		Set(m, infrav1.AppliedCondition, metav1.ConditionFalse, infrav1.QuotaExceededReason, "full")
	}
	waits := func(m *infrav1.NutanixMachine) {
		Set(m, infrav1.PlanRecordedCondition, metav1.ConditionTrue, infrav1.DisruptivePlanReason, "x")
	}
	record := &plan.Record{Counts: plan.Counts{Create: 1}}
	tests := map[string]struct {
		before []func(*infrav1.NutanixMachine)
		result lifecycle.Result
		want   string
	}{
		"the first plan":                    {nil, lifecycle.Result{State: lifecycle.Running}, "False WaitingForPlan"},
		"checking for drift":                {[]func(*infrav1.NutanixMachine){inSync}, lifecycle.Result{State: lifecycle.Running}, "True Applied"},
		"repairing drift":                   {[]func(*infrav1.NutanixMachine){inSync}, lifecycle.Result{State: lifecycle.Running, Applying: true, Plan: record}, "False Applying"},
		"retrying":                          {[]func(*infrav1.NutanixMachine){failed}, lifecycle.Result{State: lifecycle.Running, Err: errors.New("full")}, "False QuotaExceeded"},
		"applying after a failure":          {[]func(*infrav1.NutanixMachine){failed}, lifecycle.Result{State: lifecycle.Running, Applying: true, Plan: record}, "False Applying"},
		"in sync after a failure":           {[]func(*infrav1.NutanixMachine){failed}, lifecycle.Result{State: lifecycle.InSync}, "True Applied"},
		"a check that fails":                {[]func(*infrav1.NutanixMachine){inSync}, lifecycle.Result{State: lifecycle.Failed, Err: errors.New("x")}, "True Applied"},
		"a check while the state is locked": {[]func(*infrav1.NutanixMachine){inSync}, lifecycle.Result{State: lifecycle.Locked, Err: errors.New("x")}, "True Applied"},
		"a repair that fails": {[]func(*infrav1.NutanixMachine){inSync}, lifecycle.Result{State: lifecycle.Failed,
			Err: &terraform.Error{Verb: "apply", Class: terraform.Quota}}, "False QuotaExceeded"},
		"a plan that waits": {[]func(*infrav1.NutanixMachine){inSync}, lifecycle.Result{State: lifecycle.AwaitingDecision, Plan: record, AppliedBefore: true}, "True Applied"},
		"a plan of a changed spec that waits": {[]func(*infrav1.NutanixMachine){inSync, func(m *infrav1.NutanixMachine) { m.Generation++ }},
			lifecycle.Result{State: lifecycle.AwaitingDecision, Plan: record, AppliedBefore: true}, "True Applied"},
		"a plan that waits, and a check that fails": {[]func(*infrav1.NutanixMachine){inSync, waits, func(m *infrav1.NutanixMachine) { m.Generation++ }},
			lifecycle.Result{State: lifecycle.Failed, Err: errors.New("x")}, "True Applied"},
		"a plan that waits after a failure":             {[]func(*infrav1.NutanixMachine){failed}, lifecycle.Result{State: lifecycle.AwaitingDecision, Plan: record, AppliedBefore: true}, "True Applied"},
		"a plan that waits before anything was applied": {nil, lifecycle.Result{State: lifecycle.AwaitingDecision, Plan: record}, "False WaitingForApproval"},
		"a VM that is off":                              {[]func(*infrav1.NutanixMachine){inSync}, lifecycle.Result{State: lifecycle.Held, Hold: &plan.Hold{Reason: "VMPoweredOff"}, AppliedBefore: true}, "True Applied"},
		"a VM that was off from the start":              {nil, lifecycle.Result{State: lifecycle.Held, Hold: &plan.Hold{Reason: "VMPoweredOff"}}, "False VMPoweredOff"},
		"a check of a changed spec that fails": {[]func(*infrav1.NutanixMachine){inSync, func(m *infrav1.NutanixMachine) { m.Generation++ }},
			lifecycle.Result{State: lifecycle.Failed, Err: errors.New("x")}, "False PlanFailed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d, _ := dependencies(t)
			object := machine(test.before...)
			d.Publish(object, &object.Status.Terraform, test.result)
			condition := conditions.Get(object, infrav1.AppliedCondition)
			assert.Equal(t, test.want, fmt.Sprintf("%s %s", condition.Status, condition.Reason))
			assert.NotNil(t, object.Status.Terraform)
		})
	}
}

func TestAppliedWorkspaceSurvivesAMove(t *testing.T) {
	d, _ := dependencies(t)
	object := machine()
	d.Publish(object, &object.Status.Terraform, lifecycle.Result{State: lifecycle.InSync, Applied: &lifecycle.Applied{WorkspaceDigest: "v2:d"}})
	d.Publish(object, &object.Status.Terraform, lifecycle.Result{State: lifecycle.Running})
	object.Status = infrav1.NutanixMachineStatus{}
	assert.Equal(t, "v2:d", Remembered(object, object.Status.Terraform).Workspace)
}

// The events API rejects longer notes, so the event would be lost.
func TestEventNotesAreTruncated(t *testing.T) {
	d, _ := dependencies(t)
	object := machine()
	long := strings.Repeat("100% of ü ", 200)
	d.Publish(object, &object.Status.Terraform, lifecycle.Result{State: lifecycle.InSync, Events: []lifecycle.Event{
		{Type: "Warning", Reason: "PlanFailed", Action: "Plan", Message: long},
		{Type: "Normal", Reason: "Planned", Action: "Plan", Message: "short: 100%s"},
	}})
	recorded := d.Recorder.(*events.FakeRecorder).Events
	note := strings.TrimPrefix(<-recorded, "Warning PlanFailed ")
	assert.LessOrEqual(t, len(note), 1024)
	assert.True(t, utf8.ValidString(note))
	assert.True(t, strings.HasSuffix(note, "..."))
	assert.Equal(t, "Normal Planned short: 100%s", <-recorded)
}

func TestReadySummarizesTheMilestones(t *testing.T) {
	milestones := []string{"First", "Second"}
	set := func(kind string, status metav1.ConditionStatus, reason, message string) func(*infrav1.NutanixMachine) {
		return func(m *infrav1.NutanixMachine) { Set(m, kind, status, reason, message) }
	}
	deleted := func(m *infrav1.NutanixMachine) { m.DeletionTimestamp = &metav1.Time{Time: time.Now()} }
	type list = []func(*infrav1.NutanixMachine)
	tests := map[string]struct {
		conditions list
		want       string
	}{
		"no condition":                  {nil, "False WaitingForInputs First: not known yet"},
		"first False":                   {list{set("First", "False", "Why", "because"), set("Second", "False", "Other", "x")}, "False Why First: because"},
		"second absent":                 {list{set("First", "True", "Good", "")}, "False WaitingForInputs Second: not known yet"},
		"second Unknown":                {list{set("First", "True", "Good", ""), set("Second", "Unknown", "Why", "")}, "False Why Second"},
		"first absent, second False":    {list{set("Second", "False", "CertificateInvalid", "unknown authority")}, "False CertificateInvalid Second: unknown authority"},
		"first Unknown, second False":   {list{set("First", "Unknown", "Asking", "x"), set("Second", "False", "CertificateInvalid", "unknown authority")}, "False CertificateInvalid Second: unknown authority"},
		"first Unknown, second True":    {list{set("First", "Unknown", "Asking", "x"), set("Second", "True", "Good", "")}, "False Asking First: x"},
		"all True":                      {list{set("First", "True", "Good", ""), set("Second", "True", "Good", "")}, "True Provisioned "},
		"passing fault, not in sync":    {list{set("First", "False", "PrismUnreachable", "no route"), set("Second", "True", "Good", "")}, "False PrismUnreachable First: no route"},
		"passing fault, in sync":        {list{set("First", "False", "PrismUnreachable", "no route"), set("Second", "True", "Good", ""), set("Applied", "True", "Applied", "")}, "True Provisioned "},
		"missing permission, in sync":   {list{set("First", "False", "PermissionDenied", "no"), set("Second", "True", "Good", ""), set("Applied", "True", "Applied", "")}, "True Provisioned "},
		"backend fault, in sync":        {list{set("First", "False", "StateBackendFailed", "forbidden"), set("Second", "False", "LocalDiskFull", ""), set("Applied", "True", "Applied", "")}, "True Provisioned "},
		"rejected check, in sync":       {list{set("First", "False", "PrismRequestRejected", "422"), set("Second", "True", "Good", ""), set("Applied", "True", "Applied", "")}, "True Provisioned "},
		"unusable backend, in sync":     {list{set("First", "False", "BackendConfigInvalid", "one state"), set("Second", "True", "Good", ""), set("Applied", "True", "Applied", "")}, "True Provisioned "},
		"unusable backend, new":         {list{set("First", "False", "BackendConfigInvalid", "one state"), set("Second", "True", "Good", "")}, "False BackendConfigInvalid First: one state"},
		"passing then lasting, in sync": {list{set("First", "False", "PrismUnreachable", "no route"), set("Second", "False", "Why", "x"), set("Applied", "True", "Applied", "")}, "False Why Second: x"},
		"lasting fault, in sync":        {list{set("First", "False", "CertificateInvalid", "expired"), set("Second", "True", "Good", ""), set("Applied", "True", "Applied", "")}, "False CertificateInvalid First: expired"},
		"wrong password, in sync":       {list{set("First", "False", "AuthenticationFailed", "refused"), set("Second", "True", "Good", ""), set("Applied", "True", "Applied", "")}, "True Provisioned "},
		"being deleted":                 {list{set("First", "True", "Good", ""), set("Applied", "False", "Destroying", "1 to delete"), deleted}, "False Deleting 1 to delete"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			object := machine(test.conditions...)
			summarize(object, milestones)
			ready := conditions.Get(object, infrav1.ReadyCondition)
			assert.Equal(t, test.want, fmt.Sprintf("%s %s %s", ready.Status, ready.Reason, ready.Message))
		})
	}
}

// A fault that disappears by itself leaves an object Ready. A mistake in the spec of a NutanixCluster leaves its machines
// Ready.
func TestReasonsThatLeaveAnObjectReady(t *testing.T) {
	for reason, test := range map[string]struct{ machine, cluster bool }{
		infrav1.PlanFailedReason:            {true, true},
		infrav1.ProviderFailedReason:        {true, true},
		infrav1.StateLockedReason:           {true, true},
		infrav1.VMNotFoundReason:            {true, true},
		infrav1.BackendConfigNotFoundReason: {true, false},
		infrav1.QuotaExceededReason:         {false, false},
		infrav1.ApplyFailedReason:           {false, false},
	} {
		assert.Equal(t, test.machine, passing(&infrav1.NutanixMachine{}, reason), reason)
		assert.Equal(t, test.cluster, passing(&infrav1.NutanixCluster{}, reason), reason)
	}
}

// The spec of the NutanixCluster names the backend, so its Ready condition shows the mistake.
func TestClusterWithUnusableBackendIsNotReady(t *testing.T) {
	cluster := &infrav1.NutanixCluster{}
	Set(cluster, infrav1.PlanRecordedCondition, metav1.ConditionFalse, infrav1.BackendConfigInvalidReason, "one state")
	Set(cluster, infrav1.AppliedCondition, metav1.ConditionTrue, infrav1.AppliedReason, "")
	summarize(cluster, []string{infrav1.PlanRecordedCondition, infrav1.AppliedCondition})
	assert.Equal(t, infrav1.BackendConfigInvalidReason, conditions.GetReason(cluster, infrav1.ReadyCondition))
}
