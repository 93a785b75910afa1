package nlb

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

const name = "prod-dddddddd-0000-4000-8000-000000000001"

var (
	five = netip.MustParseAddr("10.0.0.5")
	six  = netip.MustParseAddr("10.0.0.6")
)

// wantedFor gives what is wanted for a Service, with one target.
func wantedFor(t *testing.T, service *corev1.Service) wanted {
	w := newWorld(t)
	r, err := read(service, w.cfg)
	require.NoError(t, err)
	external := ""
	if r.floatingIP {
		external = externalUUID
	}
	n := network{vpc: w.vpcs[0], subnets: w.subnets}
	subnet, err := n.virtual(r.subnet)
	require.NoError(t, err)
	desired, err := desired(r, vpcUUID, subnet, external, []string{"nic"})
	require.NoError(t, err)
	return desired
}

// session gives one as it would be found after wantedFor, with that UUID and virtual IP.
func session(uuid string, protocol nutanix.Protocol, port, nodePort int, vip netip.Addr) nutanix.LoadBalancerSession {
	owner := loadbalancer.OwnerOf(cluster, newService(1))
	return nutanix.LoadBalancerSession{
		UUID: uuid, Name: sessionName(owner, portOf(protocol, port)), VPCUUID: vpcUUID, Protocol: protocol, Port: port,
		SubnetUUID: vipsUUID, VirtualIP: vip, HealthCheck: nutanix.HealthCheck{IntervalSeconds: 10, TimeoutSeconds: 5, SuccessThreshold: 3, FailureThreshold: 3},
		Targets: []nutanix.Target{{NICUUID: "nic", Port: nodePort}},
	}
}

func portOf(protocol nutanix.Protocol, number int) port {
	return port{protocol: protocol, port: number}
}

func floating(uuid, sessionUUID string, private netip.Addr) nutanix.FloatingIP {
	return nutanix.FloatingIP{
		UUID: uuid, Name: name, ExternalSubnetUUID: externalUUID, Address: netip.MustParseAddr("203.0.113.9"),
		LoadBalancerSessionUUID: sessionUUID, PrivateIP: private, VPCUUID: vpcUUID,
	}
}

func TestPlan(t *testing.T) {
	reservedFive, reservedSix := reservation{vipsUUID, five}, reservation{vipsUUID, six}
	tcp80 := session("s1", nutanix.TCP, 80, 30080, five)
	udp53 := session("s2", nutanix.UDP, 53, 30053, five)
	foreignVPC := tcp80
	foreignVPC.VPCUUID = "aaaaaaaa-0000-4000-8000-000000000002"
	for title, tc := range map[string]struct {
		service *corev1.Service
		found   found
		want    []string
		more    bool
	}{
		"nothing is there": {
			service: newService(1, both, withFloatingIP),
			want: []string{"reserve an address in vips", "create session " + name + "-tcp-80", "create session " + name + "-udp-53",
				"create floating IP with the virtual IP"},
		},
		"one port gets the floating IP on its session": {
			service: newService(1, withFloatingIP),
			want:    []string{"reserve an address in vips", "create session " + name + "-tcp-80", "create floating IP with session " + name + "-tcp-80"},
		},
		"everything is there": {
			service: newService(1, both, withFloatingIP),
			found: found{reservations: []reservation{reservedFive}, sessions: []nutanix.LoadBalancerSession{udp53, tcp80},
				floatingIPs: []nutanix.FloatingIP{floating("f1", "", five)}},
		},
		"an address that was reserved before is used": {
			service: newService(1),
			found:   found{reservations: []reservation{reservedSix, reservedFive}},
			want:    []string{"create session " + name + "-tcp-80", "free 10.0.0.6"},
		},
		"an address is kept when it is not asked for any more": {
			service: newService(1),
			found:   found{reservations: []reservation{reservedFive, reservedSix}, sessions: []nutanix.LoadBalancerSession{session("s1", nutanix.TCP, 80, 30080, six)}},
			want:    []string{"free 10.0.0.5"},
		},
		"another address is asked for": {
			service: newService(1, both, withAddress("10.0.0.6")),
			found: found{reservations: []reservation{reservedFive}, sessions: []nutanix.LoadBalancerSession{tcp80, udp53},
				floatingIPs: []nutanix.FloatingIP{floating("f1", "", five)}},
			want: []string{"reserve 10.0.0.6 in vips", "delete floating IP 203.0.113.9", "change session " + name + "-tcp-80",
				"change session " + name + "-udp-53", "free 10.0.0.5"},
		},
		"a lost reservation is made again": {
			service: newService(1),
			found:   found{sessions: []nutanix.LoadBalancerSession{tcp80}},
			want:    []string{"reserve 10.0.0.5 in vips"},
		},
		"an address that is reserved is rather ours than one that a session was given": {
			service: newService(1),
			found:   found{reservations: []reservation{reservedSix}, sessions: []nutanix.LoadBalancerSession{tcp80}},
			want:    []string{"change session " + name + "-tcp-80"},
		},
		"of two sessions of one name the one on the address stays": {
			service: newService(1),
			found: found{reservations: []reservation{reservedSix}, sessions: []nutanix.LoadBalancerSession{
				session("s1", nutanix.TCP, 80, 30080, five), session("s2", nutanix.TCP, 80, 30080, six), session("s3", nutanix.TCP, 80, 30080, six)}},
			want: []string{"delete session " + name + "-tcp-80", "delete session " + name + "-tcp-80"},
		},
		"a removed port becomes the added one": {
			service: newService(1, withPorts(tcp(81, 30081))),
			found:   found{reservations: []reservation{reservedFive}, sessions: []nutanix.LoadBalancerSession{tcp80}},
			want:    []string{"change session " + name + "-tcp-80 to " + name + "-tcp-81"},
		},
		"what exists is changed before more is made": {
			service: newService(1, withPorts(udp(53, 30053), tcp(80, 31000))),
			found:   found{reservations: []reservation{reservedFive}, sessions: []nutanix.LoadBalancerSession{tcp80}},
			want:    []string{"change session " + name + "-tcp-80", "create session " + name + "-udp-53"},
		},
		"a removed port goes": {
			service: newService(1),
			found:   found{reservations: []reservation{reservedFive}, sessions: []nutanix.LoadBalancerSession{tcp80, udp53}},
			want:    []string{"delete session " + name + "-udp-53"},
		},
		"a session with a floating IP goes after the floating IP was led elsewhere": {
			service: newService(1, withFloatingIP, withPorts(udp(53, 30053))),
			found: found{reservations: []reservation{reservedFive}, sessions: []nutanix.LoadBalancerSession{tcp80, udp53},
				floatingIPs: []nutanix.FloatingIP{floating("f1", "s1", netip.Addr{})}},
			want: []string{"associate floating IP with the virtual IP"}, more: true,
		},
		"a floating IP follows when a port is added": {
			service: newService(1, withFloatingIP, both),
			found: found{reservations: []reservation{reservedFive}, sessions: []nutanix.LoadBalancerSession{tcp80},
				floatingIPs: []nutanix.FloatingIP{floating("f1", "s1", netip.Addr{})}},
			want: []string{"create session " + name + "-udp-53", "associate floating IP with the virtual IP"},
		},
		"of two floating IPs the associated one stays": {
			service: newService(1, withFloatingIP),
			found: found{reservations: []reservation{reservedFive}, sessions: []nutanix.LoadBalancerSession{tcp80},
				floatingIPs: []nutanix.FloatingIP{floating("f1", "", netip.Addr{}), floating("f2", "s1", netip.Addr{})}},
			want: []string{"delete floating IP 203.0.113.9"},
		},
		"a floating IP that nobody wants goes first": {
			service: newService(1),
			found: found{reservations: []reservation{reservedFive}, sessions: []nutanix.LoadBalancerSession{tcp80, udp53},
				floatingIPs: []nutanix.FloatingIP{floating("f1", "s2", netip.Addr{})}},
			want: []string{"delete floating IP 203.0.113.9", "delete session " + name + "-udp-53"},
		},
		"another subnet is asked for": {
			service: newService(1, withSubnet("more-vips")),
			found:   found{reservations: []reservation{reservedFive}, sessions: []nutanix.LoadBalancerSession{tcp80}},
			want:    []string{"reserve an address in more-vips", "change session " + name + "-tcp-80", "free 10.0.0.5"},
		},
		"another subnet is asked for, but sessions stay in theirs": {
			service: newService(1, withSubnet("more-vips")),
			found: found{reservations: []reservation{reservedFive, {otherVIPs, netip.MustParseAddr("10.1.0.1")}},
				sessions: []nutanix.LoadBalancerSession{tcp80}, refused: sets.New(listenerChange{subnet: true, address: true})},
			want: []string{"delete session " + name + "-tcp-80", "create session " + name + "-tcp-80", "free 10.0.0.5"},
		},
		"a session of another VPC is made anew": {
			service: newService(1),
			found:   found{reservations: []reservation{reservedFive}, sessions: []nutanix.LoadBalancerSession{foreignVPC}},
			want:    []string{"delete session " + name + "-tcp-80", "create session " + name + "-tcp-80"},
		},
		"targets, node port and health check are changed in place": {
			service: newService(1, withPorts(tcp(80, 31000), udp(53, 30053)), annotated(loadbalancer.AnnotationHealthCheckInterval, "7")),
			found:   found{reservations: []reservation{reservedFive}, sessions: []nutanix.LoadBalancerSession{tcp80, udp53}},
			want:    []string{"change session " + name + "-tcp-80", "change session " + name + "-udp-53"},
		},
	} {
		t.Run(title, func(t *testing.T) {
			steps, p := plan(wantedFor(t, tc.service), tc.found)
			assert.Equal(t, tc.want, texts(steps))
			assert.Equal(t, tc.more, p.more)
		})
	}
}

func texts(steps []step) []string {
	var out []string
	for _, s := range steps {
		out = append(out, s.String())
	}
	return out
}

func TestPlanOfDeletionGoesFromTheOutsideToTheAddress(t *testing.T) {
	steps := planDelete(found{
		reservations: []reservation{{vipsUUID, six}, {vipsUUID, five}},
		sessions:     []nutanix.LoadBalancerSession{session("s1", nutanix.TCP, 80, 30080, five)},
		floatingIPs:  []nutanix.FloatingIP{floating("f1", "s1", netip.Addr{})},
	})
	assert.Equal(t, []string{"delete floating IP 203.0.113.9", "delete session " + name + "-tcp-80", "free 10.0.0.5", "free 10.0.0.6"}, texts(steps))
}

func TestPlanOfNodesChangesTargetsOnly(t *testing.T) {
	w := wantedFor(t, newService(1, both))
	have := session("s1", nutanix.TCP, 80, 30080, five)
	have.HealthCheck.IntervalSeconds, have.Targets = 99, nil
	same := session("s2", nutanix.UDP, 53, 30053, six)
	other := session("s3", nutanix.TCP, 8080, 1, five)
	steps := planNodes(w, found{sessions: []nutanix.LoadBalancerSession{have, same, other}})
	require.Equal(t, []string{"change targets of session " + name + "-tcp-80"}, texts(steps))
	step := steps[0].(retarget)
	assert.Equal(t, have, step.session, "the session as it was found, with its health check")
	assert.Equal(t, []nutanix.Target{{NICUUID: "nic", Port: 30080}}, step.targets)
}
