package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/toolbox"
	"github.com/capnt/capnt/internal/toolbox/apiserver"
)

// manyPlans is how many plans of one rollout wait in the benchmarks.
const manyPlans = 200

// BenchmarkManyPlans measures the commands while 200 plans of one rollout wait. Each command should take less than a second.
func BenchmarkManyPlans(b *testing.B) {
	plans := rollout(b, manyPlans)
	objects := make([]client.Object, len(plans))
	for i := range plans {
		objects[i] = &plans[i]
	}
	program := newProgram(b, objects...)
	for name, test := range map[string]struct {
		args []string
		code int
	}{
		"list":    {[]string{"plan", "list"}, exitWaits},
		"show":    {[]string{"plan", "show", plans[0].Name}, exitWaits},
		"approve": {[]string{"plan", "approve", "--class", rolloutClass, "--reason", "CHG-4711", "--yes", "--dry-run=server"}, exitNothing},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				require.Equal(b, test.code, program.run(b, test.args...), program.err.String())
			}
		})
	}
}

// BenchmarkManyPlansOnAPIServer measures the commands as processes, while 200 signed plans with their files wait on a real API server. Each
// command should take less than a second. Admission of the decisions is not included, because no manager runs.
func BenchmarkManyPlansOnAPIServer(b *testing.B) {
	environment := apiserver.For(b, apiserver.Options{CRDs: true})
	scheme, err := Scheme()
	require.NoError(b, err)
	admin, err := client.New(environment.Config, client.Options{Scheme: scheme})
	require.NoError(b, err)
	first := recordWaiting(b, admin, manyPlans)
	kubeconfig := userKubeconfig(b, environment)
	for _, test := range []struct {
		name string
		args []string
		code int
	}{
		{"list", []string{"plan", "list"}, exitWaits},
		{"list-all", []string{"plan", "list", "-A", "-o", "wide"}, exitWaits},
		{"show", []string{"plan", "show", first.Name}, exitWaits},
		{"approve", []string{"plan", "approve", first.Name, "--reason", "CHG-4711", "--yes"}, exitNothing},
		{"approve-class", []string{"plan", "approve", "--class", first.Spec.ClassDigest, "--reason", "CHG-4711", "--yes"}, exitNothing},
	} {
		b.Run(test.name, func(b *testing.B) {
			var cpu time.Duration
			for b.Loop() {
				cpu += runProcess(b, test.code, append(test.args, "--kubeconfig", kubeconfig, "-n", namespace)...)
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/op")
			b.ReportMetric(float64(cpu.Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// planFileSize is about the size of a plan file that creates a VM, in bytes.
const planFileSize = 32 << 10

// recordWaiting records plans as the manager does, and the machines of the first plan. It returns the first plan.
func recordWaiting(b *testing.B, admin client.Client, count int) *infrav1.NutanixPlan {
	b.Helper()
	require.NoError(b, admin.Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	store := &plan.Store{Client: admin, Reader: admin, Namespace: corev1.NamespaceDefault, Clock: clock.RealClock{}}
	rules := plan.Merge(infrav1.TerraformApproval{}, infrav1.TerraformApproval{Mode: infrav1.ApprovalModeAlways})
	var first *infrav1.NutanixPlan
	for i := range count {
		file := make([]byte, planFileSize)
		_, _ = rand.Read(file) // never fails
		record := creationRecord(b, fmt.Sprintf("prod-md-1-%03dab", i), subnetA)
		verdict := plan.Decide(record, plan.Facts{Rules: rules, Now: time.Now()})
		stored, err := store.Record(b.Context(), record, file)
		require.NoError(b, err)
		stored, err = store.SaveFile(b.Context(), stored, nil)
		require.NoError(b, err)
		stored, err = store.SetPhase(b.Context(), stored, infrav1.PlanPhaseWaiting, verdict.Reason, verdict)
		require.NoError(b, err)
		if first == nil {
			first = stored.Object
		}
	}
	require.NoError(b, admin.Create(b.Context(), machine(first.Spec.Target.Name, "prod-a", true)))
	return first
}

// userKubeconfig returns the path of a kubeconfig of a user with the permissions of an administrator.
func userKubeconfig(t testing.TB, environment *envtest.Environment) string {
	t.Helper()
	user, err := environment.AddUser(envtest.User{Name: "app-owner@example.com", Groups: []string{"system:masters"}}, nil)
	require.NoError(t, err)
	content, err := user.KubeConfig()
	require.NoError(t, err)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, content, 0o600))
	return kubeconfig
}

// runProcess runs the built program and returns the CPU time of the process.
func runProcess(b *testing.B, code int, args ...string) time.Duration {
	b.Helper()
	path, err := toolbox.Find("bin/capnt")
	require.NoError(b, err)
	command := exec.CommandContext(b.Context(), path, args...)
	output, err := command.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(b, err)
	}
	require.Equal(b, code, command.ProcessState.ExitCode(), string(output))
	return command.ProcessState.UserTime() + command.ProcessState.SystemTime()
}
