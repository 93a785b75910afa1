package loadbalancer

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/record"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/cloud-provider/api"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
)

// desk is a Balancer with two scripted backends and an API server that has one Service.
type desk struct {
	*Balancer
	nlb, ipam *scripted
	config    config.Config
	recorder  *record.FakeRecorder
	clock     *clocktesting.FakeClock
	service   *corev1.Service
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{
		nlb: newScripted("10.1.0."), ipam: newScripted("10.2.0."), config: bothTypes(),
		recorder: record.NewFakeRecorder(100), clock: clocktesting.NewFakeClock(time.Now()),
		service: &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "aaaaaaaa-0000-0000-0000-000000000001", Annotations: map[string]string{}},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer},
		},
	}
	d.Balancer = New(Options{
		Backends: map[config.LoadBalancerType]Backend{config.LoadBalancerNLB: d.nlb, config.LoadBalancerIPAM: handing{d.ipam}},
		Config:   func() config.Config { return d.config }, Client: fake.NewClientset(d.service), Events: d.recorder, Clock: d.clock,
	})
	return d
}

func bothTypes() config.Config {
	return config.Config{ClusterName: "prod", LoadBalancer: config.LoadBalancer{
		Type: config.LoadBalancerNLB, NLB: &config.NLB{}, IPAM: &config.IPAM{},
		Classes: map[string]config.LoadBalancerType{"nutanix.com/nlb": config.LoadBalancerNLB, "nutanix.com/ipam": config.LoadBalancerIPAM},
	}}
}

// ensure ensures and puts the status into the Service, as the framework does.
func (d *desk) ensure(t *testing.T) error {
	status, err := d.EnsureLoadBalancer(t.Context(), "ignored", d.service, nil)
	if err == nil {
		d.service.Status.LoadBalancer = *status
	}
	return err
}

// events are those since the last call.
func (d *desk) events() []string {
	events := []string{}
	for {
		select {
		case event := <-d.recorder.Events:
			events = append(events, event)
		default:
			return events
		}
	}
}

func TestServiceIsServedByOneBackendAndFoundWhileAnyHasAPiece(t *testing.T) {
	d := newDesk(t)
	_, exists, err := d.GetLoadBalancer(t.Context(), "", d.service)
	require.NoError(t, err)
	assert.False(t, exists)

	require.NoError(t, d.ensure(t))
	assert.Equal(t, status("10.1.0.1").Ingress, d.service.Status.LoadBalancer.Ingress)
	assert.Empty(t, d.ipam.holds())
	found, exists, err := d.GetLoadBalancer(t.Context(), "", d.service)
	require.NoError(t, err)
	assert.True(t, exists)
	assert.Equal(t, status("10.1.0.1"), found)
	assert.Equal(t, "prod-aaaaaaaa-0000-0000-0000-000000000001", d.GetLoadBalancerName(t.Context(), "", d.service))

	require.NoError(t, d.UpdateLoadBalancer(t.Context(), "", d.service, []*corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}}))
	_, targets := d.nlb.has(d.service)
	assert.Equal(t, []string{"n1"}, targets)

	d.ipam.hold(owner(d.service), "10.2.0.9")
	require.NoError(t, d.EnsureLoadBalancerDeleted(t.Context(), "", d.service))
	assert.Empty(t, d.nlb.holds())
	assert.Empty(t, d.ipam.holds())
	assert.Empty(t, d.events())
}

func TestWhatCannotBeLookedForIsNotSaidToBeGone(t *testing.T) {
	d := newDesk(t)
	d.ipam.script("Status", &nutanix.Error{Kind: nutanix.Unavailable})
	_, _, err := d.GetLoadBalancer(t.Context(), "", d.service)
	require.Error(t, err)

	d.nlb.hold(owner(d.service), "10.1.0.7")
	_, exists, err := d.GetLoadBalancer(t.Context(), "", d.service)
	require.NoError(t, err)
	assert.True(t, exists, "one piece is enough")
}

func TestDeletionIsTriedEverywhereAndFailsWhenAnyPartFails(t *testing.T) {
	d := newDesk(t)
	d.nlb.hold(owner(d.service), "10.1.0.7")
	d.ipam.hold(owner(d.service), "10.2.0.7")
	d.ipam.script("Delete", &nutanix.Error{Operation: "UnreserveIPs", Kind: nutanix.Forbidden, Message: "no role"})
	require.ErrorContains(t, d.EnsureLoadBalancerDeleted(t.Context(), "", d.service), "no role")
	assert.Empty(t, d.nlb.holds())
	assert.Len(t, d.events(), 1)
	d.ipam.script("Delete", nil)
	require.NoError(t, d.EnsureLoadBalancerDeleted(t.Context(), "", d.service))
	assert.Empty(t, d.ipam.holds())
}

func TestAWrongConfigurationOfOneTypeStopsNothingElse(t *testing.T) {
	wrong := &Refusal{Reason: "ConfigurationRefused", Message: "there is no such VPC", Retry: true}
	d := newDesk(t)
	require.NoError(t, d.ensure(t))
	for _, method := range []string{"Status", "Ensure", "Delete", "Owners", "Addresses"} {
		d.nlb.script(method, wrong)
	}
	restarted := *d
	restarted.Balancer = New(d.Options)

	for name, d := range map[string]*desk{"known": d, "after a restart": &restarted} {
		err := d.EnsureLoadBalancerDeleted(t.Context(), "", d.service)
		require.ErrorIs(t, err, wrong, "it is of that type: %s", name)
		_, _, err = d.GetLoadBalancer(t.Context(), "", d.service)
		require.ErrorIs(t, err, wrong, name)
	}

	other := d.service.DeepCopy()
	other.UID = "aaaaaaaa-0000-0000-0000-000000000002"
	other.Annotations[AnnotationType] = "ipam"
	_, err := d.EnsureLoadBalancer(t.Context(), "", other, nil)
	require.NoError(t, err)
	addresses, err := d.Addresses(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"10.2.0.1"}, addresses)
	for _, d := range []*desk{&restarted, d} {
		require.NoError(t, d.EnsureLoadBalancerDeleted(t.Context(), "", other))
		_, exists, err := d.GetLoadBalancer(t.Context(), "", other)
		require.NoError(t, err)
		assert.False(t, exists)
	}

	other.Annotations[AnnotationType] = "none"
	_, err = d.EnsureLoadBalancer(t.Context(), "", other, nil)
	require.ErrorIs(t, err, cloudprovider.ImplementedElsewhere)

	d.config.LoadBalancer.Orphans = config.OrphansDelete
	d.ipam.hold(Owner{Cluster: "prod", UID: "dddddddd-0000-0000-0000-000000000001"}, "10.2.0.9")
	c := &collector{Balancer: d.Balancer}
	c.collect(t.Context())
	c.collect(t.Context())
	assert.Empty(t, d.ipam.holds(), "orphans of the other type go")
}

func TestChangeOfTypeMakesTheNewLoadBalancerBeforeTheOldOneGoes(t *testing.T) {
	d := newDesk(t)
	require.NoError(t, d.ensure(t))
	d.nlb.order()
	d.ipam.order()

	d.service.Annotations[AnnotationType] = "ipam"
	d.ipam.script("Ensure", &Refusal{Reason: "AddressTaken", Message: "taken", Retry: true})
	require.Error(t, d.ensure(t))
	assert.Len(t, d.nlb.holds(), 1, "while the new one is refused the old one serves")
	d.ipam.script("Ensure", nil)
	require.NoError(t, d.ensure(t))
	assert.Empty(t, d.nlb.holds())
	assert.Len(t, d.ipam.holds(), 1)
	assert.Empty(t, d.service.Status.LoadBalancer.Ingress, "the old address is not passed on as that of the announcer")
	assert.Equal(t, []string{"Warning AddressTaken taken", "Normal LoadBalancerTypeChanged the load balancer is of type ipam now; that of type nlb is gone"}, d.events())

	d.service.Status.LoadBalancer = *status("10.2.0.1")
	delete(d.service.Annotations, AnnotationType)
	d.ipam.order()
	require.NoError(t, d.ensure(t))
	assert.Equal(t, status("10.1.0.2").Ingress, d.service.Status.LoadBalancer.Ingress)
	assert.Equal(t, []string{"Status web", "Withdraw web", "Delete"}, d.ipam.order(), "withdrawn before it is freed")
}

func TestInterruptedChangeOfTypeIsFinished(t *testing.T) {
	d := newDesk(t)
	require.NoError(t, d.ensure(t))
	d.service.Annotations[AnnotationType] = "ipam"
	d.nlb.script("Delete", &nutanix.Error{Kind: nutanix.Unavailable})
	require.Error(t, d.ensure(t))
	d.nlb.script("Delete", nil)
	require.NoError(t, d.ensure(t))
	assert.Empty(t, d.nlb.holds())
}

func TestTypeNoneCleansUpClearsItsStatusAndLeavesTheServiceToOthers(t *testing.T) {
	d := newDesk(t)
	require.NoError(t, d.ensure(t))
	_, err := d.Client.CoreV1().Services("default").UpdateStatus(t.Context(), d.service, metav1.UpdateOptions{})
	require.NoError(t, err)
	d.service.Annotations[AnnotationType] = "none"
	_, err = d.EnsureLoadBalancer(t.Context(), "", d.service, nil)
	require.True(t, err == cloudprovider.ImplementedElsewhere, "the framework compares with ==") //nolint:errorlint,testifylint // that is what is tested
	assert.Empty(t, d.nlb.holds())
	now, err := d.Client.CoreV1().Services("default").Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Empty(t, now.Status.LoadBalancer.Ingress)

	now.Status.LoadBalancer = *status("192.0.2.1")
	_, err = d.Client.CoreV1().Services("default").UpdateStatus(t.Context(), now, metav1.UpdateOptions{})
	require.NoError(t, err)
	now.Annotations = d.service.Annotations
	_, err = d.EnsureLoadBalancer(t.Context(), "", now, nil)
	require.ErrorIs(t, err, cloudprovider.ImplementedElsewhere)
	now, err = d.Client.CoreV1().Services("default").Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, *status("192.0.2.1"), now.Status.LoadBalancer, "what somebody else wrote stays")
	err = d.UpdateLoadBalancer(t.Context(), "", d.service, nil)
	assert.True(t, err == cloudprovider.ImplementedElsewhere) //nolint:errorlint,testifylint // that is what is tested
}

func TestTypeNoneIsNotReachedWhileCleaningUpFails(t *testing.T) {
	d := newDesk(t)
	require.NoError(t, d.ensure(t))
	d.service.Annotations[AnnotationType] = "none"
	d.nlb.script("Delete", &nutanix.Error{Kind: nutanix.Unavailable})
	_, err := d.EnsureLoadBalancer(t.Context(), "", d.service, nil)
	require.Error(t, err)
	assert.NotErrorIs(t, err, cloudprovider.ImplementedElsewhere)
}

func TestPartThatIsRefusedIsToldAndTheRestIsServed(t *testing.T) {
	d := newDesk(t)
	d.nlb.beside = &Refusal{Reason: "ProtocolRefused", Message: "SCTP"}
	for range 3 {
		require.NoError(t, d.ensure(t))
	}
	assert.Equal(t, status("10.1.0.1").Ingress, d.service.Status.LoadBalancer.Ingress)
	assert.Equal(t, []string{"Warning ProtocolRefused SCTP"}, d.events(), "once")
}

func TestMisconfiguredOtherTypeDoesNotKeepAServiceFromBeingServed(t *testing.T) {
	d := newDesk(t)
	d.ipam.script("Status", &Refusal{Reason: "ConfigurationRefused", Message: "no such subnet", Retry: true})
	require.NoError(t, d.ensure(t))
	d.ipam.script("Status", &nutanix.Error{Kind: nutanix.Unavailable})
	require.Error(t, d.ensure(t), "what passes is waited for, so that a change of type is noticed")
}

func TestTroubleIsToldOnceUntilItChangesEndsOrIsForgotten(t *testing.T) {
	d := newDesk(t)
	exhausted := &nutanix.Error{Operation: "CreateLoadBalancerSession", Kind: nutanix.Exhausted, Message: "limit of 20 sessions reached", Code: "NET-1"}
	d.nlb.script("Ensure", exhausted)
	for range 5 {
		require.ErrorIs(t, d.ensure(t), exhausted)
	}
	require.Equal(t, []string{"Warning PrismExhausted Prism Central has nothing left for CreateLoadBalancerSession: " +
		"limit of 20 sessions reached [NET-1]. Free something or raise the limit; this is tried again"}, d.events())
	d.nlb.script("Ensure", &nutanix.Error{Kind: nutanix.Unavailable, Cause: errors.New("port 4711: timeout")})
	require.Error(t, d.ensure(t))
	d.nlb.script("Ensure", &nutanix.Error{Kind: nutanix.Unavailable, Cause: errors.New("port 4712: timeout")})
	require.Error(t, d.ensure(t))
	require.Len(t, d.events(), 1, "another trouble is told, the same one in other words is not")
	d.clock.Step(repeatAfter)
	require.Error(t, d.ensure(t))
	require.Len(t, d.events(), 1, "again before the API server forgets it")
	d.nlb.script("Ensure", nil)
	require.NoError(t, d.ensure(t))
	d.nlb.script("Ensure", exhausted)
	require.Error(t, d.ensure(t))
	require.Len(t, d.events(), 1, "it had ended")
}

func TestOneCallerAtATimeForAService(t *testing.T) {
	d := newDesk(t)
	release, err := d.locks.acquire(t.Context(), d.service.UID)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = d.EnsureLoadBalancer(ctx, "", d.service, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, _, err = d.GetLoadBalancer(ctx, "", d.service)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, d.UpdateLoadBalancer(ctx, "", d.service, nil), context.DeadlineExceeded)
	require.ErrorIs(t, d.EnsureLoadBalancerDeleted(ctx, "", d.service), context.DeadlineExceeded)
	assert.Zero(t, d.nlb.made(""))
	another := d.service.DeepCopy()
	another.UID = "aaaaaaaa-0000-0000-0000-000000000002"
	_, err = d.EnsureLoadBalancer(t.Context(), "", another, nil)
	require.NoError(t, err, "another Service does not wait")
	release()
	require.NoError(t, d.ensure(t))
	assert.Empty(t, d.locks.held)
}

func TestTimeOfTheNextTry(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want time.Duration
	}{
		{"nothing a retry helps against: the next repair", &Refusal{Reason: "r"}, 10 * time.Minute},
		{"somebody else may change it: back-off", &Refusal{Reason: "r", Retry: true}, 0},
		{"Prism Central says when", &nutanix.Error{Kind: nutanix.Unavailable, RetryAfter: 7 * time.Second}, 7 * time.Second},
		{"changed meanwhile: soon", &nutanix.Error{Kind: nutanix.Stale}, staleDelay},
		{"passing: back-off", &nutanix.Error{Kind: nutanix.Unavailable}, 0},
		{"unknown: back-off", errors.New("unknown"), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := pace(test.err, 10*time.Minute)
			require.ErrorIs(t, err, test.err)
			assert.EqualError(t, err, test.err.Error())
			var retry *api.RetryError
			if assert.Equal(t, test.want > 0, errors.As(err, &retry)) && test.want > 0 {
				assert.Equal(t, test.want, retry.RetryAfter())
			}
		})
	}
}

func TestErrorsAreToldInWordsThatAPersonUnderstands(t *testing.T) {
	for _, test := range []struct {
		err             error
		reason, message string
	}{
		{&Refusal{Reason: "AddressTaken", Message: "it is taken", Cause: &nutanix.Error{Kind: nutanix.Conflict}}, "AddressTaken", "it is taken"},
		{&nutanix.Error{Kind: nutanix.Exhausted}, ReasonPrismExhausted, "raise the limit"},
		{&nutanix.Error{Kind: nutanix.Conflict, Message: "10.0.0.1 is in use"}, ReasonPrismConflict, "10.0.0.1 is in use"},
		{&nutanix.Error{Kind: nutanix.Forbidden, Operation: "ReserveIP"}, ReasonPrismForbidden, "lack the role for ReserveIP"},
		{&nutanix.Error{Kind: nutanix.Unauthorized}, ReasonPrismUnauthorized, "credentials"},
		{&nutanix.Error{Kind: nutanix.Invalid, Message: "bad", Code: "NET-2"}, ReasonPrismRefused, "bad [NET-2]"},
		{&nutanix.Error{Kind: nutanix.Unavailable, Operation: "ListSubnets"}, ReasonPrismUnavailable, "does not answer ListSubnets"},
		{&nutanix.Error{Kind: nutanix.Stale, Operation: "UpdateRoute"}, ReasonPrismUnavailable, "tried again"},
		{&nutanix.Error{Kind: nutanix.Throttled, Operation: "ListSubnets"}, ReasonRateLimit, "ListSubnets is held up: the cloud controller manager's own rate limit"},
		{errors.New("no more words"), ReasonFailed, "no more words"},
	} {
		told := describe(test.err)
		assert.Equal(t, test.reason, told.reason)
		assert.Contains(t, told.message, test.message)
	}
}

func TestAddressesOfAllTypesAreKnownForAShortWhile(t *testing.T) {
	d := newDesk(t)
	d.config.Client.CacheTTL = metav1.Duration{Duration: 10 * time.Second}
	d.nlb.hold(Owner{Cluster: "prod", UID: "a"}, "10.1.0.9")
	d.ipam.hold(Owner{Cluster: "prod", UID: "b"}, "10.2.0.9")
	for range 5 {
		addresses, err := d.Addresses(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"10.1.0.9", "10.2.0.9"}, addresses)
	}
	assert.Equal(t, 1, d.nlb.made("Addresses"))

	require.NoError(t, d.ensure(t))
	addresses, err := d.Addresses(t.Context())
	require.NoError(t, err)
	assert.Contains(t, addresses, "10.1.0.1", "a new load balancer is known at once")

	d.clock.Step(10 * time.Second)
	d.ipam.script("Addresses", errors.New("half an answer"))
	_, err = d.Addresses(t.Context())
	require.ErrorContains(t, err, "half an answer")
	d.ipam.script("Addresses", nil)
	_, err = d.Addresses(t.Context())
	require.NoError(t, err, "errors are not kept")
}
