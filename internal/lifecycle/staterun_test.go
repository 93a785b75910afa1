package lifecycle

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/terraform"
)

// recordRuns makes the target use a backend other than kubernetes. The object records a run on each of hosts at the time first.
func (f *fixture) recordRuns(first time.Time, hosts ...string) {
	scheme := runtime.NewScheme()
	require.NoError(f.t, infrav1.AddToScheme(scheme))
	object := f.target.Object.DeepCopyObject().(*infrav1.NutanixMachine)
	runs := runsOf(object)
	for _, host := range hosts {
		runs.Hosts[host] = first
	}
	require.NoError(f.t, setRuns(object, runs))
	f.api = fake.NewClientBuilder().WithScheme(scheme).WithObjects(object).Build()
	f.pipeline.Holders.Client, f.pipeline.Holders.Reader = f.api, f.api
}

// recordedRuns returns the record of the stored object.
func (f *fixture) recordedRuns() map[string]time.Time {
	object := &infrav1.NutanixMachine{}
	require.NoError(f.t, f.api.Get(f.t.Context(), client.ObjectKeyFromObject(f.target.Object), object))
	return runsOf(object).Hosts
}

// A run is recorded before Terraform starts, also for the next manager. The record is removed when a run has locked and unlocked the
// state.
func TestRunsAreRecordedUntilTheStateIsUnlocked(t *testing.T) {
	f := newFixture(t)
	f.recordRuns(before)
	release := f.block("open")
	f.step()
	<-f.entered
	assert.Len(t, f.recordedRuns(), 1)
	began := f.recordedRuns()["capnt-1"]
	assert.True(t, began.Equal(f.clock.Now()), began)
	f.stop()
	require.NoError(t, <-f.stopped)
	release()
	f.start()
	f.fail("plan", errors.New("terraform was killed"))
	f.advance(time.Minute)
	f.settle()
	assert.True(t, f.recordedRuns()["capnt-1"].Equal(began), "the first run may still hold the lock")
	f.advance(time.Minute)
	f.settle()
	assert.Empty(t, f.recordedRuns())
}

// Nothing runs if the run cannot be recorded.
func TestRunThatCannotBeRecordedDoesNotStart(t *testing.T) {
	f := newFixture(t)
	f.recordRuns(before)
	require.NoError(t, f.api.Delete(t.Context(), f.target.Object.DeepCopyObject().(*infrav1.NutanixMachine)))
	result := f.settle()
	require.ErrorContains(t, result.Err, infrav1.StateRunsAnnotation)
	assert.NotContains(t, f.String(), "open")
}

func TestEndedRuns(t *testing.T) {
	first := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	begin := first.Add(time.Hour)
	living := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "capnt-system", Name: "capnt-manager-6f5d8-live1"}}
	inPod := Holders{Host: "capnt-manager-6f5d8-self1", Pod: "capnt-manager-6f5d8-self1", Started: begin, Namespace: "capnt-system",
		Reader: fake.NewClientBuilder().WithObjects(living).Build()}
	onNode := inPod // with host networking, the host name of a pod is the name of its node
	onNode.Host = "ip-10-0-1"
	onHost := Holders{Host: "laptop", Started: first.Add(time.Minute)} // people run Terraform on the same host
	tests := map[string]struct {
		holders  Holders
		who      string
		created  time.Time
		recorded string
		ended    bool
	}{
		"a pod that is gone":                                {inPod, "nonroot@capnt-manager-6f5d8-gone1", first, "capnt-manager-6f5d8-gone1", true},
		"a pod of another installation":                     {inPod, "nonroot@capnt-manager-6f5d8-gone1", first, "capnt-manager-6f5d8-gone2", false},
		"a pod of v0.1.0, which records nothing":            {inPod, "nonroot@capnt-manager-6f5d8-gone1", first, "", false},
		"a pod that is gone, before its run":                {inPod, "nonroot@capnt-manager-6f5d8-gone1", first.Add(-time.Second), "capnt-manager-6f5d8-gone1", false},
		"a pod that is gone, nobody knows when":             {inPod, "nonroot@capnt-manager-6f5d8-gone1", time.Time{}, "capnt-manager-6f5d8-gone1", false},
		"a pod that lives":                                  {inPod, "nonroot@capnt-manager-6f5d8-live1", first, "capnt-manager-6f5d8-live1", false},
		"this pod, an earlier run":                          {inPod, "nonroot@capnt-manager-6f5d8-self1", begin.Add(-time.Second), "capnt-manager-6f5d8-self1", true},
		"this pod, the current run":                         {inPod, "nonroot@capnt-manager-6f5d8-self1", begin, "capnt-manager-6f5d8-self1", false},
		"this host, an earlier run":                         {onHost, "jane@laptop", first, "laptop", true},
		"this host, since the manager started":              {onHost, "jane@laptop", begin.Add(-time.Minute), "laptop", false},
		"this host, another manager before the earlier run": {onHost, "jane@laptop", first.Add(-time.Second), "laptop", false},
		"this host, another manager without an earlier run": {onHost, "jane@laptop", first, "", false},
		"another host":                                      {onHost, "jane@server", first, "server", false},
		"nobody":                                            {onHost, "", first, "laptop", false},
		"a node, which other processes share":               {onNode, "nonroot@ip-10-0-1", first, "ip-10-0-1", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			runs := &stateRuns{Hosts: map[string]time.Time{}, begin: begin}
			if test.recorded != "" {
				runs.Hosts[test.recorded] = first
			}
			ended, err := test.holders.ended(t.Context(), &terraform.LockInfo{ID: "1", Who: test.who, Created: test.created}, runs)
			require.NoError(t, err)
			assert.Equal(t, test.ended, ended)
		})
	}
}

// A copy of an object in another management cluster has another UID. The original may be running.
func TestRecordOfCopiedObjectIsNotValid(t *testing.T) {
	object := &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{UID: "uid-1"}}
	require.NoError(t, setRuns(object, stateRuns{UID: "uid-1", Hosts: map[string]time.Time{"capnt-1": before}}))
	assert.Len(t, runsOf(object).Hosts, 1)
	object.UID = "uid-2"
	assert.Empty(t, runsOf(object).Hosts)
	object.Annotations[infrav1.StateRunsAnnotation] = "{"
	assert.Empty(t, runsOf(object).Hosts)
}
