package ipam_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/loadbalancer/ipam"
	"github.com/capnt/capnt/ccm/nutanix"
)

const (
	kubeVIP  = "kube-vip.io/loadbalancerIPs"
	metalLB  = "metallb.io/loadBalancerIPs"
	cilium   = "lbipam.cilium.io/ips"
	reserved = " prod/aaaaaaaa-0000-0000-0000-000000000001"
)

func TestAddressIsReservedHandedOverKeptAndFreed(t *testing.T) {
	for announcer, annotation := range map[config.Announcer]string{"": kubeVIP, config.KubeVIP: kubeVIP, config.MetalLB: metalLB, config.Cilium: cilium} {
		t.Run(string(announcer), func(t *testing.T) {
			b := newBed(t)
			b.config.LoadBalancer.IPAM.Announcer = announcer
			s := b.service(1)
			_, found, err := b.backend.Status(t.Context(), s)
			require.NoError(t, err)
			assert.False(t, found)

			for range 3 {
				require.NoError(t, b.ensure(s))
				b.restart()
				assert.Equal(t, []string{"10.0.0.2" + reserved}, b.prism.all())
				assert.Equal(t, map[string]string{annotation: "10.0.0.2"}, b.read(s).Annotations)
			}
			status, found, err := b.backend.Status(t.Context(), s)
			require.NoError(t, err)
			assert.True(t, found)
			assert.Equal(t, []corev1.LoadBalancerIngress{{IP: "10.0.0.2"}}, status.Ingress)
			addresses, err := b.backend.Addresses(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []string{"10.0.0.2"}, addresses)

			require.NoError(t, b.backend.Delete(t.Context(), loadbalancer.OwnerOf(cluster, s)))
			assert.Empty(t, b.prism.all())
			_, found, err = b.backend.Status(t.Context(), s)
			require.NoError(t, err)
			assert.False(t, found)
			require.NoError(t, b.backend.Delete(t.Context(), loadbalancer.OwnerOf(cluster, s)), "a second time")
		})
	}
}

func TestStatusIsLeftToTheAnnouncer(t *testing.T) {
	b := newBed(t)
	s := b.service(1)
	written := corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: "10.0.0.2", Hostname: "node-1"}}}
	b.change(s, func(s *corev1.Service) { s.Status.LoadBalancer = written })
	status, err := b.backend.Ensure(t.Context(), b.read(s), nil)
	require.NoError(t, err)
	assert.Equal(t, &written, status)
}

// What the Service asks for, one after the other, and the address and annotation it has then.
func TestAddressFollowsWhatTheServiceAsksFor(t *testing.T) {
	const address, subnet = loadbalancer.AnnotationAddress, loadbalancer.AnnotationSubnet
	b := newBed(t)
	s := b.service(1)
	for _, step := range []struct {
		name   string
		change func(*corev1.Service)
		want   string
	}{
		{"any address", func(*corev1.Service) {}, "10.0.0.2"},
		{"a certain one", func(s *corev1.Service) { s.Annotations[address] = "10.0.0.9" }, "10.0.0.9"},
		{"the annotation is gone: the address is kept", func(s *corev1.Service) { delete(s.Annotations, address) }, "10.0.0.9"},
		{"by the field", func(s *corev1.Service) { s.Spec.LoadBalancerIP = "10.0.0.5" }, "10.0.0.5"},
		{"by annotation and field alike", func(s *corev1.Service) { s.Annotations[address] = "10.0.0.5" }, "10.0.0.5"},
		{"by the announcer's annotation", func(s *corev1.Service) {
			delete(s.Annotations, address)
			s.Spec.LoadBalancerIP = ""
			s.Annotations[kubeVIP] = "10.0.0.7"
		}, "10.0.0.7"},
		{"the announcer's annotation is removed: it comes back", func(s *corev1.Service) { delete(s.Annotations, kubeVIP) }, "10.0.0.7"},
		{"in another subnet, by name", func(s *corev1.Service) { s.Annotations[subnet] = "vlan-8" }, "10.0.8.2"},
		{"the same subnet by UUID: the address is kept", func(s *corev1.Service) { s.Annotations[subnet] = other }, "10.0.8.2"},
		{"the annotation is gone: the address is kept", func(s *corev1.Service) { delete(s.Annotations, subnet) }, "10.0.8.2"},
		{"an address of the first subnet", func(s *corev1.Service) { s.Annotations[address] = "10.0.0.9" }, "10.0.0.9"},
	} {
		b.change(s, step.change)
		require.NoError(t, b.ensure(s), step.name)
		assert.Equal(t, []string{step.want + reserved}, b.prism.all(), step.name)
		assert.Equal(t, step.want, b.read(s).Annotations[kubeVIP], step.name)
	}
	require.NoError(t, b.backend.Delete(t.Context(), loadbalancer.OwnerOf(cluster, s)))
	assert.Empty(t, b.prism.all())
}

func TestAddressIsKeptWhenTheConfiguredSubnetChanges(t *testing.T) {
	b := newBed(t)
	s, late := b.service(1), b.service(2)
	require.NoError(t, b.ensure(s))
	named := b.config.LoadBalancer.IPAM
	named.Subnet, named.AdditionalSubnets = named.AdditionalSubnets[0], []config.Identifier{named.Subnet}
	require.NoError(t, b.ensure(s))
	require.NoError(t, b.ensure(late))
	assert.Equal(t, []string{"10.0.0.2" + reserved, "10.0.8.2 prod/aaaaaaaa-0000-0000-0000-000000000002"}, b.prism.all())
}

func TestMetalLBGetsTheFieldOrTheAnnotationButNotBoth(t *testing.T) {
	b := newBed(t)
	b.config.LoadBalancer.IPAM.Announcer = config.MetalLB
	s := b.service(1)
	require.NoError(t, b.ensure(s))
	assert.Equal(t, "10.0.0.2", b.read(s).Annotations[metalLB])
	b.change(s, func(s *corev1.Service) { s.Spec.LoadBalancerIP = "10.0.0.4" })
	require.NoError(t, b.ensure(s))
	assert.NotContains(t, b.read(s).Annotations, metalLB)
	assert.Equal(t, []string{"10.0.0.4" + reserved}, b.prism.all())
}

func TestOlderAnnotationsOfAnnouncersAreRead(t *testing.T) {
	for announcer, annotation := range map[config.Announcer]string{config.MetalLB: "metallb.universe.tf/loadBalancerIPs", config.Cilium: "io.cilium/lb-ipam-ips"} {
		b := newBed(t)
		b.config.LoadBalancer.IPAM.Announcer = announcer
		require.NoError(t, b.ensure(b.service(1, annotation, "10.0.0.6")))
		assert.Equal(t, []string{"10.0.0.6" + reserved}, b.prism.all())
	}
}

func TestWhatCannotBeDoneIsRefusedAndNothingIsReserved(t *testing.T) {
	const address, subnet = loadbalancer.AnnotationAddress, loadbalancer.AnnotationSubnet
	taken := func(b *bed) { b.prism.reserved[main][netip.MustParseAddr("10.0.0.9")] = "somebody" }
	full := func(b *bed) { b.prism.subnets[0].Prefix = netip.MustParsePrefix("10.0.0.0/31") }
	named := func(i config.Identifier) func(*bed) {
		return func(b *bed) { b.config.LoadBalancer.IPAM.Subnet = i }
	}
	for _, test := range []struct {
		name        string
		annotations []string
		spec        corev1.ServiceSpec
		prepare     func(*bed)
		reason      string
		message     string
		retry       bool
	}{
		{name: "IPv6 only", spec: corev1.ServiceSpec{IPFamilies: []corev1.IPFamily{corev1.IPv6Protocol}}, reason: ipam.ReasonAddressFamily, message: "IPv4"},
		{name: "both families required", spec: corev1.ServiceSpec{IPFamilyPolicy: ptr.To(corev1.IPFamilyPolicyRequireDualStack)}, reason: ipam.ReasonAddressFamily, message: "PreferDualStack"},
		{name: "no address", annotations: []string{address, "web"}, reason: ipam.ReasonAnnotation, message: `"web"`},
		{name: "an IPv6 address", annotations: []string{address, "fd00::1"}, reason: ipam.ReasonAnnotation, message: "fd00::1"},
		{name: "several addresses", annotations: []string{kubeVIP, "10.0.0.4,10.0.0.5"}, reason: ipam.ReasonAnnotation, message: kubeVIP},
		{name: "DHCP", annotations: []string{kubeVIP, "0.0.0.0"}, reason: ipam.ReasonAnnotation, message: "vlan-7 (10.0.0.0/28)"},
		{name: "contradiction", annotations: []string{address, "10.0.0.4"}, spec: corev1.ServiceSpec{LoadBalancerIP: "10.0.0.5"}, reason: ipam.ReasonAnnotation,
			message: `annotation nutanix.com/load-balancer-address is "10.0.0.4", but spec.loadBalancerIP is "10.0.0.5": remove one`},
		{name: "outside of all subnets", annotations: []string{kubeVIP, "10.1.1.1"}, reason: ipam.ReasonAnnotation, message: "10.1.1.1"},
		{name: "outside of that subnet", annotations: []string{address, "10.0.0.4", subnet, "vlan-8"}, reason: ipam.ReasonAnnotation, message: "vlan-8"},
		{name: "a subnet that is not listed", annotations: []string{subnet, "twice"}, reason: ipam.ReasonAnnotation, message: "vlan-7"},
		{name: "taken", annotations: []string{address, "10.0.0.9"}, prepare: taken, reason: ipam.ReasonAddressTaken, message: "10.0.0.9", retry: true},
		{name: "full", prepare: full, reason: ipam.ReasonAddressesExhausted, message: "vlan-7", retry: true},
		{name: "no such subnet", prepare: named(config.Identifier{Type: "name", Name: "gone"}), reason: ipam.ReasonConfiguration, message: "gone", retry: true},
		{name: "no such UUID", prepare: named(config.Identifier{Type: "uuid", UUID: "99999999-0000-0000-0000-000000000000"}), reason: ipam.ReasonConfiguration, message: "99999999", retry: true},
		{name: "ambiguous subnet", prepare: named(config.Identifier{Type: "name", Name: "twice"}), reason: ipam.ReasonConfiguration, message: "2 subnets", retry: true},
		{name: "overlay subnet", prepare: named(config.Identifier{Type: "name", Name: "overlay"}), reason: ipam.ReasonConfiguration, message: "VPC", retry: true},
		{name: "unmanaged subnet", prepare: named(config.Identifier{Type: "name", Name: "unmanaged"}), reason: ipam.ReasonConfiguration, message: "manage", retry: true},
		{name: "no section", prepare: func(b *bed) { b.config.LoadBalancer.IPAM = nil }, reason: ipam.ReasonConfiguration, message: "loadBalancer.ipam", retry: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBed(t)
			if test.prepare != nil {
				test.prepare(b)
			}
			s := b.service(1, test.annotations...)
			b.change(s, func(s *corev1.Service) { s.Spec = test.spec })
			before := b.prism.all()
			err := b.ensure(s)
			var refusal *loadbalancer.Refusal
			require.ErrorAs(t, err, &refusal)
			assert.Equal(t, test.reason, refusal.Reason)
			assert.Contains(t, refusal.Message, test.message)
			assert.Equal(t, test.retry, refusal.Retry)
			assert.Equal(t, before, b.prism.all())
		})
	}
}

func TestRefusedRequestLeavesTheAddressThatIsServed(t *testing.T) {
	b := newBed(t)
	s, rival := b.service(1), b.service(2, loadbalancer.AnnotationAddress, "10.0.0.9")
	require.NoError(t, b.ensure(s))
	require.NoError(t, b.ensure(rival))
	b.change(s, func(s *corev1.Service) { s.Annotations[loadbalancer.AnnotationAddress] = "10.0.0.9" })
	require.Error(t, b.ensure(s))
	assert.Equal(t, "10.0.0.2", b.read(s).Annotations[kubeVIP])

	require.NoError(t, b.backend.Delete(t.Context(), loadbalancer.OwnerOf(cluster, rival)))
	require.NoError(t, b.ensure(s), "once the rival is gone")
	assert.Equal(t, []string{"10.0.0.9" + reserved}, b.prism.all())
}

func TestOwnersAreThoseOfThisClusterOnly(t *testing.T) {
	b := newBed(t)
	require.NoError(t, b.ensure(b.service(2)))
	require.NoError(t, b.ensure(b.service(1, loadbalancer.AnnotationSubnet, "vlan-8")))
	b.prism.reserved[main][netip.MustParseAddr("10.0.0.10")] = "somebody"
	b.prism.reserved[main][netip.MustParseAddr("10.0.0.11")] = "test/aaaaaaaa-0000-0000-0000-000000000009"
	b.prism.reserved[main][netip.MustParseAddr("10.0.0.12")] = "prod/shorter"
	b.prism.reserved[main][netip.MustParseAddr("10.0.0.13")] = "prod/aaaaaaaa-0000-0000-0000-000000000002"
	owners, err := b.backend.Owners(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []loadbalancer.Owner{
		{Cluster: cluster, UID: "aaaaaaaa-0000-0000-0000-000000000001"}, {Cluster: cluster, UID: "aaaaaaaa-0000-0000-0000-000000000002"},
	}, owners)
}

func TestWithdrawRemovesOnlyTheAnnotationOfAReservedAddress(t *testing.T) {
	b := newBed(t)
	s := b.service(1)
	require.NoError(t, b.backend.Withdraw(t.Context(), b.read(s)))
	require.NoError(t, b.ensure(s))
	b.change(s, func(s *corev1.Service) { s.Annotations["other"] = "stays" })
	require.NoError(t, b.backend.Withdraw(t.Context(), b.read(s)))
	assert.Equal(t, map[string]string{"other": "stays"}, b.read(s).Annotations)
	b.change(s, func(s *corev1.Service) { s.Annotations[kubeVIP] = "10.0.0.14" })
	require.NoError(t, b.backend.Withdraw(t.Context(), b.read(s)))
	assert.Equal(t, "10.0.0.14", b.read(s).Annotations[kubeVIP], "what a person wrote")
}

func TestWhatAPersonWroteMeanwhileIsNotOverwritten(t *testing.T) {
	b := newBed(t)
	s := b.service(1)
	stale := b.read(s)
	b.change(s, func(s *corev1.Service) { s.Annotations[kubeVIP] = "10.0.0.9" })
	_, err := b.backend.Ensure(t.Context(), stale, nil)
	require.ErrorContains(t, err, "changed meanwhile")
	require.NoError(t, b.ensure(s))
	assert.Equal(t, []string{"10.0.0.9" + reserved}, b.prism.all())

	b.change(s, func(s *corev1.Service) { s.UID = types.UID("bbbbbbbb-0000-0000-0000-000000000001") })
	_, err = b.backend.Ensure(t.Context(), stale, nil)
	require.ErrorContains(t, err, "changed meanwhile", "another Service has the name")
}

func TestErrorsOfPrismCentralKeepTheirKind(t *testing.T) {
	b := newBed(t)
	s := b.service(1, loadbalancer.AnnotationAddress, "10.0.0.9")
	b.prism.reserved[main][netip.MustParseAddr("10.0.0.9")] = "somebody"
	assert.True(t, nutanix.Is(b.ensure(s), nutanix.Conflict))
}
