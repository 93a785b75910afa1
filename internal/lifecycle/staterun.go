package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/terraform"
)

// stateRuns is the content of infrav1.StateRunsAnnotation: the runs that may hold the lock of a state in a backend other than kubernetes.
// Such a lock names only a host. Hosts of two installations can have the same name, and both installations can use one backend.
// Therefore a lock is a lock of this installation only if the object records a run on that host.
type stateRuns struct {
	// UID is the UID of the object. A copy of the object in another management cluster has another UID, so the record is not valid there.
	UID types.UID `json:"uid"`
	// Hosts contains the time of the first recorded run on each host.
	Hosts map[string]time.Time `json:"hosts"`
	// begin is the time at which the current run began.
	begin time.Time
}

// run executes a run of the target. If Terraform itself locks the state, the run is recorded before it begins. The record is removed when
// a run has locked and unlocked the state, because no earlier run can hold the lock then.
func (p *Pipeline) run(ctx context.Context, target Target, run func(ctx context.Context, target Target) outcome) outcome {
	if target.Backend.Kubernetes() || p.Holders == nil || p.Holders.Client == nil {
		return withoutPanic(ctx, target, run)
	}
	runs, err := p.Holders.record(ctx, target, p.Clock.Now())
	if err != nil {
		return failed{err: err}
	}
	target.runs = runs
	o := withoutPanic(ctx, target, run)
	switch o.(type) {
	case planned, unchanged, applied, unread, destroyedSome:
		if err := p.Holders.changeRuns(ctx, target, func(runs *stateRuns) { runs.Hosts = nil }); err != nil {
			// The record only allows to break a lock of this installation, so the next run can remove it.
			log.FromContext(ctx).Error(err, "Failed to remove the record of the runs that may hold a state lock")
		}
	}
	return o
}

// record adds a run on this host to the record of the target.
func (h *Holders) record(ctx context.Context, target Target, begin time.Time) (*stateRuns, error) {
	var recorded stateRuns
	err := h.changeRuns(ctx, target, func(runs *stateRuns) {
		if _, found := runs.Hosts[h.Host]; !found {
			runs.Hosts[h.Host] = begin
		}
		recorded = *runs
	})
	recorded.begin = begin
	return &recorded, err
}

// changeRuns calls change with the record of the target and writes the record. It reads past the cache and fails if the object does not
// exist any more.
func (h *Holders) changeRuns(ctx context.Context, target Target, change func(runs *stateRuns)) error {
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		object := target.Object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy of a client.Object is one
		if err := h.Reader.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		if object.GetUID() != target.Object.GetUID() {
			return errors.New("it was deleted, and another object has its name")
		}
		before := object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // as above
		runs := runsOf(object)
		change(&runs)
		if err := setRuns(object, runs); err != nil {
			return err
		}
		if object.GetAnnotations()[infrav1.StateRunsAnnotation] == before.GetAnnotations()[infrav1.StateRunsAnnotation] {
			return nil
		}
		return h.Client.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
	if err != nil {
		return fmt.Errorf("recording in annotation %s of %s %s that Terraform uses its state: %w", infrav1.StateRunsAnnotation, target.Kind,
			client.ObjectKeyFromObject(target.Object), err)
	}
	return nil
}

// runsOf returns the record of an object. The record is empty if the annotation is missing, cannot be parsed or was written for another
// object.
func runsOf(object client.Object) stateRuns {
	var runs stateRuns
	err := json.Unmarshal([]byte(object.GetAnnotations()[infrav1.StateRunsAnnotation]), &runs)
	if err != nil || runs.UID != object.GetUID() || runs.Hosts == nil {
		return stateRuns{UID: object.GetUID(), Hosts: map[string]time.Time{}}
	}
	return runs
}

func setRuns(object client.Object, runs stateRuns) error {
	if len(runs.Hosts) == 0 {
		annotations := object.GetAnnotations()
		delete(annotations, infrav1.StateRunsAnnotation)
		object.SetAnnotations(annotations)
		return nil
	}
	content, err := json.Marshal(runs)
	if err != nil {
		return err
	}
	meta := metav1.ObjectMeta{Annotations: object.GetAnnotations()}
	metav1.SetMetaDataAnnotation(&meta, infrav1.StateRunsAnnotation, string(content))
	object.SetAnnotations(meta.Annotations)
	return nil
}

// ended reports whether lock is stale: a recorded run acquired the lock, and that run has ended. At most one run of an object is under
// way in a process, so an earlier run on this host has ended.
func (h *Holders) ended(ctx context.Context, lock *terraform.LockInfo, runs *stateRuns) (bool, error) {
	if runs == nil {
		return false, nil
	}
	_, host, _ := strings.Cut(lock.Who, "@")
	first, recorded := runs.Hosts[host]
	if !recorded || lock.Created.Before(first) {
		return false, nil
	}
	if host == h.Host && h.Namespace != "" && h.ownHost() {
		return lock.Created.Before(runs.begin), nil
	}
	return h.Dead(ctx, lock)
}
