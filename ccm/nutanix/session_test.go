package nutanix

import (
	"net/netip"
	"testing"

	networking "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
	"github.com/stretchr/testify/assert"
	"k8s.io/utils/ptr"
)

func TestSessionWithMoreThanIsWrittenIsOddUntilItIsWritten(t *testing.T) {
	ours := LoadBalancerSession{
		Name: "prod-web-tcp-80", VPCUUID: "vpc", Protocol: TCP, Port: 80, SubnetUUID: "subnet", VirtualIP: netip.MustParseAddr("10.0.0.5"),
		Targets: []Target{{NICUUID: "nic", Port: 30080}},
	}
	for name, spoil := range map[string]func(*networking.LoadBalancerSession){
		"a second range of ports": func(s *networking.LoadBalancerSession) {
			s.Listener.PortRanges = append(s.Listener.PortRanges, networking.PortRange{StartPort: ptr.To(443), EndPort: ptr.To(443)})
		},
		"a longer range of ports": func(s *networking.LoadBalancerSession) { s.Listener.PortRanges[0].EndPort = ptr.To(90) },
		"targets by category": func(s *networking.LoadBalancerSession) {
			s.TargetsConfig.CategoryTargets = []networking.CategoryTarget{{}}
		},
		"an address that is not fixed": func(s *networking.LoadBalancerSession) {
			s.Listener.VirtualIP.AssignmentType = networking.ASSIGNMENTTYPE_DYNAMIC.Ref()
		},
	} {
		session := networking.NewLoadBalancerSession()
		ours.write(session)
		assert.False(t, sessionOf(session, "").Odd, name)
		spoil(session)
		assert.True(t, sessionOf(session, "").Odd, name)
		ours.write(session)
		assert.Equal(t, ours, sessionOf(session, ""), name)
	}
}
