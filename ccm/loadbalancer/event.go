package loadbalancer

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	"github.com/capnt/capnt/ccm/nutanix"
)

// Reasons of Events of the front.
const (
	ReasonPrismExhausted    = "PrismExhausted"
	ReasonPrismConflict     = "PrismConflict"
	ReasonPrismForbidden    = "PrismForbidden"
	ReasonPrismUnauthorized = "PrismUnauthorized"
	ReasonPrismRefused      = "PrismRefused"
	ReasonPrismUnavailable  = "PrismUnavailable"
	ReasonRateLimit         = "RateLimitReached"
	ReasonFailed            = "LoadBalancerFailed"
	ReasonTypeChanged       = "LoadBalancerTypeChanged"
	ReasonRepaired          = "LoadBalancerRepaired"
	ReasonNoNodes           = "LoadBalancerHasNoNodes"
	ReasonEnsured           = "EnsuredLoadBalancer"
	ReasonDeleting          = "DeletingLoadBalancer"
	ReasonDeleted           = "DeletedLoadBalancer"
	ReasonOrphaned          = "OrphanedLoadBalancer"
	ReasonOrphanDeleted     = "OrphanedLoadBalancerDeleted"
	ReasonNameTaken         = "ClusterNameTaken"
)

// repeatAfter is when a trouble that goes on is told again: before the API server forgets the Event, which it does after an hour.
const repeatAfter = 30 * time.Minute

// Reporter tells troubles as Events, each once and not at every retry.
type Reporter struct {
	recorder record.EventRecorder
	clock    clock.PassiveClock

	mu   sync.Mutex
	last map[types.UID]told
}

type told struct {
	trouble
	at time.Time
}

// trouble is what an error means for a person.
type trouble struct {
	reason, message string
}

// NewReporter makes one that has told nothing yet.
func NewReporter(recorder record.EventRecorder, now clock.PassiveClock) *Reporter {
	return &Reporter{recorder: recorder, clock: now}
}

// Report tells what is wrong with the object that has that UID, unless that was told a short while ago.
func (r *Reporter) Report(object runtime.Object, uid types.UID, reason, message string) {
	t := trouble{reason, message}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	if last, ok := r.last[uid]; ok && last.trouble == t && now.Sub(last.at) < repeatAfter {
		return
	}
	if r.last == nil {
		r.last = map[types.UID]told{}
	}
	maps.DeleteFunc(r.last, func(_ types.UID, t told) bool { return now.Sub(t.at) >= repeatAfter })
	r.last[uid] = told{t, now}
	r.recorder.Event(object, corev1.EventTypeWarning, t.reason, t.message)
}

// Settled forgets the troubles of what is well, or gone.
func (r *Reporter) Settled(uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.last, uid)
}

// describe says what an error means for a person.
func describe(err error) trouble {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return trouble{refusal.Reason, refusal.Message}
	}
	var prism *nutanix.Error
	if !errors.As(err, &prism) {
		return trouble{ReasonFailed, err.Error()}
	}
	if prism.Kind == nutanix.Throttled {
		return trouble{ReasonRateLimit, fmt.Sprintf("%s is held up: the cloud controller manager's own rate limit of requests to Prism Central "+
			"(client.requestsPerSecond and client.burst) is used up; this is tried again. Raise it if it lasts", prism.Operation)}
	}
	said := prism.Message
	if said == "" {
		said = "it gave no reason"
	}
	if prism.Code != "" {
		said += " [" + prism.Code + "]"
	}
	for _, kind := range kinds {
		if kind.Kind == prism.Kind {
			return trouble{kind.reason, fmt.Sprintf(kind.format, prism.Operation, said)}
		}
	}
	// What went wrong on the way differs from try to try and is for the log.
	return trouble{ReasonPrismUnavailable, fmt.Sprintf(
		"Prism Central does not answer %s as it should now; this is tried again until it does", prism.Operation)}
}

// kinds are the kinds of errors that a person can do something about. The formats take the operation and what Prism Central says.
var kinds = []struct {
	nutanix.Kind
	reason, format string
}{
	{nutanix.Exhausted, ReasonPrismExhausted, "Prism Central has nothing left for %s: %s. Free something or raise the limit; this is tried again"},
	{nutanix.Conflict, ReasonPrismConflict, "something else in Prism Central is in the way of %s: %s"},
	{nutanix.Forbidden, ReasonPrismForbidden, "the credentials of the cloud controller manager lack the role for %s: %s"},
	{nutanix.Unauthorized, ReasonPrismUnauthorized, "Prism Central does not accept the credentials of the cloud controller manager (%s): %s"},
	{nutanix.Invalid, ReasonPrismRefused, "Prism Central refuses %s as it is: %s"},
}
