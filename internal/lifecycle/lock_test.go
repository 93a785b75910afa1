package lifecycle

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/capnt/capnt/internal/terraform"
)

// terraformError returns an error of a Terraform command with the given class.
func terraformError(verb string, class terraform.Class) *terraform.Error {
	return &terraform.Error{Verb: verb, Class: class, Message: "scripted " + string(class)}
}

func locked(verb, who string, created time.Time) *terraform.Error {
	failure := terraformError(verb, terraform.LockHeld)
	failure.Lock = &terraform.LockInfo{ID: "lock-1", Who: who, Operation: "OperationTypeApply", Created: created}
	return failure
}

var before = time.Date(2026, 8, 1, 11, 0, 0, 0, time.UTC)

// lockScenarios are scenarios in which the state is locked.
var lockScenarios = map[string]func(f *fixture){
	"lock-of-somebody-else": func(f *fixture) {
		f.fail("plan", locked("plan", "jane@laptop", before), locked("plan", "jane@laptop", before))
		f.settle()
		f.step() // waits for the holder of the lock
		f.advance(5 * time.Second)
		f.settle() // retries
		f.advance(10 * time.Second)
		f.settle()
	},
	"lock-of-another-installation": func(f *fixture) {
		f.recordRuns(before.Add(time.Second), "capnt-1")
		f.fail("plan", locked("plan", "root@capnt-1", before))
		f.settle()
	},
	"lock-of-a-killed-terraform": func(f *fixture) {
		f.recordRuns(before)
		f.fail("plan", errors.New("signal: killed"), locked("plan", "root@capnt-1", f.clock.Now()))
		f.settle()
		f.advance(5 * time.Second)
		f.settle()
	},
	"lock-of-a-dead-run-met-by-plan": func(f *fixture) {
		f.recordRuns(before, "capnt-1")
		f.fail("plan", locked("plan", "root@capnt-1", before))
		f.settle()
	},
	"lock-of-a-dead-run-met-by-apply": func(f *fixture) {
		f.step()
		f.wait()
		f.recordRuns(before, "capnt-1")
		f.fail("apply", locked("apply", "root@capnt-1", before))
		f.settle()
	},
	"lock-cannot-be-broken": func(f *fixture) {
		f.recordRuns(before, "capnt-1")
		f.fail("plan", locked("plan", "root@capnt-1", before))
		f.fail("unlock", errors.New("no such lock"))
		f.settle()
	},
}

func TestLockScenarios(t *testing.T) { play(t, lockScenarios) }

func TestHolders(t *testing.T) {
	started := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	living := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "capnt-system", Name: "capnt-manager-6f5d8-live1"}}
	inPod := Holders{Host: "capnt-manager-6f5d8-self1", Pod: "capnt-manager-6f5d8-self1", Started: started, Namespace: "capnt-system",
		Reader: fake.NewClientBuilder().WithObjects(living).Build()}
	onNode := inPod // with host networking, the host name of a pod is the name of its node
	onNode.Host = "ip-10-0-1"
	nameless := inPod
	nameless.Pod = ""
	onHost := Holders{Host: "laptop", Started: started}
	tests := map[string]struct {
		holders Holders
		who     string
		created time.Time
		dead    bool
	}{
		"this host, before this manager":           {onHost, "jane@laptop", started.Add(-time.Second), true},
		"this host, since this manager":            {onHost, "jane@laptop", started, false},
		"this host, nobody knows when":             {onHost, "jane@laptop", time.Time{}, false},
		"another host":                             {onHost, "jane@server", started.Add(-time.Hour), false},
		"another host that looks like a pod":       {onHost, "jane@capnt-manager-6f5d8-gone1", started.Add(-time.Hour), false},
		"nobody":                                   {onHost, "", started.Add(-time.Hour), false},
		"no host":                                  {onHost, "jane", started.Add(-time.Hour), false},
		"this pod, before its container restarted": {inPod, "nonroot@capnt-manager-6f5d8-self1", started.Add(-time.Minute), true},
		"this pod, now":                            {inPod, "nonroot@capnt-manager-6f5d8-self1", started.Add(time.Minute), false},
		"a pod that is gone":                       {inPod, "nonroot@capnt-manager-6f5d8-gone1", started.Add(time.Minute), true},
		"a pod of an earlier version that is gone": {inPod, "nonroot@capnt-manager-77777-gone1", started.Add(-time.Hour), true},
		"a pod that lives":                         {inPod, "nonroot@capnt-manager-6f5d8-live1", started.Add(-time.Hour), false},
		"a pod of another Deployment":              {inPod, "nonroot@other-manager-6f5d8-gone1", started.Add(-time.Hour), false},
		"a laptop":                                 {inPod, "jane@laptop", started.Add(-time.Hour), false},
		"a node that looks like a pod":             {onNode, "jane@ip-10-0-2", started.Add(-time.Hour), false},
		"this node":                                {onNode, "jane@ip-10-0-1", started.Add(-time.Hour), false},
		"a pod, and nobody knows which we are":     {nameless, "nonroot@capnt-manager-6f5d8-gone1", started.Add(-time.Hour), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dead, err := test.holders.Dead(t.Context(), &terraform.LockInfo{ID: "1", Who: test.who, Created: test.created})
			require.NoError(t, err)
			assert.Equal(t, test.dead, dead)
		})
	}
}

func TestHoldersReportErrorWhenPodsCannotBeRead(t *testing.T) {
	unreachable := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return errors.New("no connection")
		},
	}).Build()
	holders := Holders{Host: "capnt-manager-6f5d8-self1", Pod: "capnt-manager-6f5d8-self1", Namespace: "capnt-system", Reader: unreachable}
	dead, err := holders.Dead(t.Context(), &terraform.LockInfo{ID: "1", Who: "x@capnt-manager-6f5d8-gone1"})
	require.Error(t, err)
	assert.False(t, dead)
}
