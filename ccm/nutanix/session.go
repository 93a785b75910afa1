package nutanix

import (
	"context"
	"slices"
	"strings"

	networking "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
	"k8s.io/utils/ptr"

	"github.com/capnt/capnt/internal/prismv4"
)

const sessionPath = "/config/load-balancer-sessions"

var sessionKind = kind[networking.LoadBalancerSession]{
	rel:      "load-balancer-session",
	uuid:     func(session *networking.LoadBalancerSession) string { return lower(session.ExtId) },
	reserved: func(session *networking.LoadBalancerSession) map[string]any { return session.Reserved_ },
}

// ListLoadBalancerSessions implements LoadBalancerSessions.
func (c *Client) ListLoadBalancerSessions(ctx context.Context, namePrefix string) ([]LoadBalancerSession, error) {
	return c.sessions(ctx, "ListLoadBalancerSessions", prismv4.StartsWith("name", namePrefix), func(session *LoadBalancerSession) bool {
		return strings.HasPrefix(session.Name, namePrefix)
	})
}

func (c *Client) sessions(ctx context.Context, operation string, where prismv4.Condition, keep func(*LoadBalancerSession) bool) ([]LoadBalancerSession, error) {
	return prismv4.List(ctx, c.prism, prismv4.Listing[networking.LoadBalancerSession, LoadBalancerSession]{
		Operation: operation, Namespace: prismv4.Networking, Path: sessionPath, Where: []prismv4.Condition{where}, Keep: keep, Key: sessionKind.uuid,
		Item: func(in *networking.LoadBalancerSession) LoadBalancerSession {
			return sessionOf(in, prismv4.ReservedETag(in.Reserved_))
		},
	})
}

// CreateLoadBalancerSession implements LoadBalancerSessions. Unavailable can mean that it was made and the answer lost:
// ListLoadBalancerSessions shows it by its name.
func (c *Client) CreateLoadBalancerSession(ctx context.Context, session LoadBalancerSession) (LoadBalancerSession, error) {
	at := target{operation: "CreateLoadBalancerSession", collection: sessionPath}
	body := networking.NewLoadBalancerSession()
	session.write(body)
	made, etag, err := create(ctx, c, sessionKind, at, body, func() ([]string, error) {
		like, err := c.sessions(ctx, at.operation, prismv4.Equals("name", session.Name), func(one *LoadBalancerSession) bool { return one.Name == session.Name })
		return convert(like, func(one *LoadBalancerSession) string { return one.UUID }), err
	})
	if err != nil {
		return LoadBalancerSession{}, err
	}
	return sessionOf(made, etag), nil
}

// UpdateLoadBalancerSession implements LoadBalancerSessions.
func (c *Client) UpdateLoadBalancerSession(ctx context.Context, session LoadBalancerSession) error {
	at := target{operation: "UpdateLoadBalancerSession", collection: sessionPath, uuid: session.UUID, etag: session.ETag}
	return replace(ctx, c, sessionKind, at, func(body *networking.LoadBalancerSession) error {
		session.write(body)
		return nil
	})
}

// DeleteLoadBalancerSession implements LoadBalancerSessions.
func (c *Client) DeleteLoadBalancerSession(ctx context.Context, session LoadBalancerSession) error {
	return remove(ctx, c, sessionKind, target{
		operation: "DeleteLoadBalancerSession", collection: sessionPath, uuid: session.UUID, etag: session.ETag,
	})
}

// write puts everything that we know of a session into the vendor's model. The only type and algorithm that exist are
// NETWORK_LOAD_BALANCER and FIVE_TUPLE_HASH.
func (s LoadBalancerSession) write(out *networking.LoadBalancerSession) {
	out.Name, out.Description, out.VpcReference = ptr.To(s.Name), ptr.To(s.Description), ptr.To(s.VPCUUID)
	out.Type = networking.LOADBALANCERSESSIONTYPE_NETWORK_LOAD_BALANCER.Ref()
	out.Algorithm = networking.ALGORITHM_FIVE_TUPLE_HASH.Ref()

	ports := networking.NewPortRange()
	ports.StartPort, ports.EndPort = ptr.To(s.Port), ptr.To(s.Port)
	vip := networking.NewVirtualIP()
	vip.SubnetReference, vip.AssignmentType = ptr.To(s.SubnetUUID), networking.ASSIGNMENTTYPE_DYNAMIC.Ref()
	if s.VirtualIP.IsValid() {
		vip.AssignmentType, vip.IpAddress = networking.ASSIGNMENTTYPE_STATIC.Ref(), ipAddress(s.VirtualIP)
	}
	out.Listener = networking.NewListener()
	out.Listener.PortRanges, out.Listener.VirtualIP = []networking.PortRange{*ports}, vip
	out.Listener.Protocol = protocolRef(s.Protocol)

	out.HealthCheckConfig = networking.NewHealthCheck()
	out.HealthCheckConfig.IntervalSecs, out.HealthCheckConfig.TimeoutSecs = ptr.To(s.HealthCheck.IntervalSeconds), ptr.To(s.HealthCheck.TimeoutSeconds)
	out.HealthCheckConfig.SuccessThreshold, out.HealthCheckConfig.FailureThreshold = ptr.To(s.HealthCheck.SuccessThreshold), ptr.To(s.HealthCheck.FailureThreshold)

	out.TargetsConfig = networking.NewTarget()
	for _, to := range s.Targets {
		nic := networking.NewNicTarget()
		nic.VirtualNicReference, nic.Port = ptr.To(to.NICUUID), ptr.To(to.Port)
		out.TargetsConfig.NicTargets = append(out.TargetsConfig.NicTargets, *nic)
	}
}

func protocolRef(protocol Protocol) *networking.Protocol {
	if protocol == UDP {
		return networking.PROTOCOL_UDP.Ref()
	}
	return networking.PROTOCOL_TCP.Ref()
}

func sessionOf(in *networking.LoadBalancerSession, etag string) LoadBalancerSession {
	out := LoadBalancerSession{
		UUID: lower(in.ExtId), Name: ptr.Deref(in.Name, ""), Description: ptr.Deref(in.Description, ""),
		VPCUUID: lower(in.VpcReference), ETag: etag,
	}
	if listener := in.Listener; listener != nil {
		if listener.Protocol != nil {
			out.Protocol = Protocol(listener.Protocol.GetName())
		}
		if len(listener.PortRanges) > 0 {
			out.Port = ptr.Deref(listener.PortRanges[0].StartPort, 0)
		}
		if vip := listener.VirtualIP; vip != nil {
			out.SubnetUUID, out.VirtualIP = lower(vip.SubnetReference), addressOf(vip.IpAddress)
		}
	}
	if check := in.HealthCheckConfig; check != nil {
		out.HealthCheck = HealthCheck{
			IntervalSeconds: ptr.Deref(check.IntervalSecs, 0), TimeoutSeconds: ptr.Deref(check.TimeoutSecs, 0),
			SuccessThreshold: ptr.Deref(check.SuccessThreshold, 0), FailureThreshold: ptr.Deref(check.FailureThreshold, 0),
		}
	}
	out.Odd = isOdd(in)
	if in.TargetsConfig != nil {
		out.Targets = convert(in.TargetsConfig.NicTargets, targetOf)
	}
	return out
}

// isOdd reports whether a session has what write does not write.
func isOdd(in *networking.LoadBalancerSession) bool {
	if in.TargetsConfig != nil && len(in.TargetsConfig.CategoryTargets) > 0 {
		return true
	}
	listener := in.Listener
	if listener == nil {
		return false
	}
	vip := listener.VirtualIP
	return slices.ContainsFunc(listener.PortRanges, func(r networking.PortRange) bool { return r.EndPort != nil && *r.EndPort != ptr.Deref(r.StartPort, 0) }) ||
		len(listener.PortRanges) > 1 ||
		vip != nil && ptr.Deref(vip.AssignmentType, networking.ASSIGNMENTTYPE_STATIC) == networking.ASSIGNMENTTYPE_DYNAMIC
}

func targetOf(in *networking.NicTarget) Target {
	out := Target{NICUUID: lower(in.VirtualNicReference), Port: ptr.Deref(in.Port, 0)}
	switch ptr.Deref(in.Health, networking.TARGETHEALTH_UNKNOWN) {
	case networking.TARGETHEALTH_HEALTHY:
		out.Healthy = ptr.To(true)
	case networking.TARGETHEALTH_UNHEALTHY:
		out.Healthy = ptr.To(false)
	}
	return out
}
