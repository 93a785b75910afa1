package nlb

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

// formerly are changes of the configuration while Services have load balancers.
var formerly = map[string]func(*world){
	"another subnet": func(w *world) { w.cfg.LoadBalancer.NLB.Subnet = named("more-vips") },
	"another VPC": func(w *world) {
		w.cfg.LoadBalancer.NLB.VPC, w.cfg.LoadBalancer.NLB.Subnet = named("other"), named("their-vips")
	},
}

// leaving is the Service while it is deleted.
func leaving(changes ...func(*corev1.Service)) *corev1.Service {
	service := newService(1, changes...)
	service.DeletionTimestamp = ptr.To(metav1.Now())
	return service
}

// end deletes as the controllers do: only what exists, and nothing is remembered since.
func (w *world) end() {
	w.t.Helper()
	_, found, err := w.backend().Status(context.Background(), leaving())
	require.NoError(w.t, err)
	if found {
		w.mustDelete(newService(1))
	}
	assert.Empty(w.t, w.picture())
	w.noViolations()
}

// TestWhatIsOfAFormerConfigurationIsDeleted interrupts the deletion, or the change before it, at every call.
func TestWhatIsOfAFormerConfigurationIsDeleted(t *testing.T) {
	for name, configure := range formerly {
		for title, to := range map[string]*corev1.Service{"deleted": nil, "served again": newService(1, both, withFloatingIP)} {
			t.Run(name+", "+title, func(t *testing.T) {
				for at, hit := 1, true; hit; at++ {
					w := prepared(t, rules{}, newService(1, both, withFloatingIP))
					configure(w)
					w.interruption = interruption{at: at, afterEffect: true, panics: true}
					err := w.change(1, to)
					hit = w.hit
					require.True(t, hit || err == nil, "%v", err)
					w.reset()
					w.end()
				}
			})
		}
	}
}

// TestAReservationOfAFormerConfigurationIsFound: whoever made it came no further.
func TestAReservationOfAFormerConfigurationIsFound(t *testing.T) {
	for name, configure := range formerly {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			owner := loadbalancer.OwnerOf(cluster, newService(1))
			w.reserved[reservation{vipsUUID, five}] = owner.Context()
			configure(w)
			owners, err := w.backend().Owners(context.Background())
			require.NoError(t, err)
			assert.Equal(t, []loadbalancer.Owner{owner}, owners)
			w.end()
		})
	}
}

// TestSubnetsOfOtherVPCsAreAskedOnce, and again after the VPC has changed, however many Services go.
func TestSubnetsOfOtherVPCsAreAskedOnce(t *testing.T) {
	w := newWorld(t)
	ctx, b := context.Background(), w.backend()
	remove := func() (asked int) {
		t.Helper()
		w.reset()
		for number := range 9 {
			require.NoError(t, b.Delete(ctx, loadbalancer.OwnerOf(cluster, newService(number))))
		}
		return count(w.calls, "ListReservedIPs "+theirVIPs)
	}
	_, err := b.Ensure(ctx, newService(1), w.nodes)
	require.NoError(t, err)
	_, _, err = b.Status(ctx, newService(1))
	require.NoError(t, err)
	assert.Zero(t, count(w.calls, "ListReservedIPs "+theirVIPs), "who serves does not ask")
	assert.Equal(t, 1, remove())
	assert.Zero(t, remove())

	formerly["another VPC"](w)
	_, err = b.Ensure(ctx, newService(2), w.nodes)
	require.NoError(t, err)
	w.cfg.LoadBalancer = newWorld(t).cfg.LoadBalancer
	assert.Positive(t, remove())
	assert.Empty(t, w.picture())
}

// TestAVPCThatIsNotForUsIsNoObstacle, but one about which Prism Central does not answer is.
func TestAVPCThatIsNotForUsIsNoObstacle(t *testing.T) {
	for kind, want := range map[nutanix.Kind]bool{nutanix.Forbidden: true, nutanix.NotFound: true, nutanix.Unavailable: false} {
		w := newWorld(t)
		w.faults["ListReservedIPs"] = []error{fault("ListReservedIPs", kind, "no")}
		_, err := w.backend().Owners(context.Background())
		assert.Equal(t, want, err == nil, "%s: %v", kind, err)
	}
}
