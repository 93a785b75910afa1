package networking

import (
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
	"github.com/capnt/capnt/e2e/prismsim/wire"

	netconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
)

// readSession reads the session in a request. It requires the same properties as the models of the SDK: name,
// description, vpcReference, listener, targetsConfig and healthCheckConfig.
func readSession(r *v4.Request) (sessionSpec, error) {
	var in netconfig.LoadBalancerSession
	if err := r.Decode(&in); err != nil {
		return sessionSpec{}, err
	}
	err := checkRequired("", map[string]bool{
		"name": wire.OrZero(in.Name) != "", "description": in.Description != nil, "vpcReference": wire.OrZero(in.VpcReference) != "",
		"listener": in.Listener != nil, "targetsConfig": in.TargetsConfig != nil, "healthCheckConfig": in.HealthCheckConfig != nil,
	})
	if err != nil {
		return sessionSpec{}, err
	}
	out := sessionSpec{name: *in.Name, description: *in.Description, vpcUUID: *in.VpcReference, metadata: in.Metadata}
	for _, step := range []func() error{
		func() error { return out.readListener(in.Listener) },
		func() error { return out.readTargets(in.TargetsConfig) },
		func() error { return out.readHealthCheck(in.HealthCheckConfig) },
	} {
		if err := step(); err != nil {
			return sessionSpec{}, err
		}
	}
	if in.Type != nil {
		err = checkEnum("type", in.Type.GetName(), sessionType)
	}
	if err == nil && in.Algorithm != nil {
		err = checkEnum("algorithm", in.Algorithm.GetName(), sessionAlgorithm)
	}
	return out, err
}

// The only type and the only algorithm that the API supports.
const (
	sessionType      = "NETWORK_LOAD_BALANCER"
	sessionAlgorithm = "FIVE_TUPLE_HASH"
)

func (spec *sessionSpec) readListener(in *netconfig.Listener) error {
	err := checkRequired("listener", map[string]bool{
		"protocol": in.Protocol != nil, "portRanges": len(in.PortRanges) > 0, "virtualIP": in.VirtualIP != nil,
	})
	if err != nil {
		return err
	}
	spec.protocol = in.Protocol.GetName()
	if err := checkEnum("listener.protocol", spec.protocol, "TCP", "UDP"); err != nil {
		return err
	}
	for _, in := range in.PortRanges {
		ports := portRange{wire.OrZero(in.StartPort), wire.OrZero(in.EndPort)}
		if !validPort(ports.first) || !validPort(ports.last) || ports.last < ports.first {
			return v4.InvalidBody("listener.portRanges", "%s is not a range of ports from 1 to 65535", ports)
		}
		spec.ports = append(spec.ports, ports)
	}
	return spec.readVIP(in.VirtualIP)
}

func (spec *sessionSpec) readVIP(in *netconfig.VirtualIP) error {
	const at = "listener.virtualIP"
	err := checkRequired(at, map[string]bool{"assignmentType": in.AssignmentType != nil, "subnetReference": wire.OrZero(in.SubnetReference) != ""})
	if err != nil {
		return err
	}
	if err := checkEnum(at+".assignmentType", in.AssignmentType.GetName(), "DYNAMIC", "STATIC"); err != nil {
		return err
	}
	address, length, err := readAddress(at+".ipAddress", in.IpAddress)
	if err != nil {
		return err
	}
	spec.wantVIP = wantedVIP{
		subnetUUID: *in.SubnetReference, static: *in.AssignmentType == netconfig.ASSIGNMENTTYPE_STATIC, address: address, prefixLength: length,
	}
	if spec.wantVIP.static {
		return checkRequired(at, map[string]bool{"ipAddress": address.IsValid()})
	}
	return nil
}

func (spec *sessionSpec) readTargets(in *netconfig.Target) error {
	if len(in.CategoryTargets) > 0 {
		return v4.InvalidBody("targetsConfig.categoryTargets", "targets by category are not part of this simulation")
	}
	for _, t := range in.NicTargets {
		target := sessionTarget{nicUUID: wire.OrZero(t.VirtualNicReference), port: wire.OrZero(t.Port)}
		if target.nicUUID == "" || !validPort(target.port) {
			return v4.InvalidBody("targetsConfig.nicTargets", "a target needs a virtualNicReference and a port from 1 to 65535")
		}
		spec.targets = append(spec.targets, target)
	}
	return nil
}

func (spec *sessionSpec) readHealthCheck(in *netconfig.HealthCheck) error {
	spec.health = healthCheck{
		interval: wire.ValueOr(in.IntervalSecs, defaultHealthCheck.interval), timeout: wire.ValueOr(in.TimeoutSecs, defaultHealthCheck.timeout),
		success: wire.ValueOr(in.SuccessThreshold, defaultHealthCheck.success), failure: wire.ValueOr(in.FailureThreshold, defaultHealthCheck.failure),
	}
	if min(spec.health.interval, spec.health.timeout, spec.health.success, spec.health.failure) < 1 {
		return v4.InvalidBody("healthCheckConfig", "times and thresholds must be 1 or more")
	}
	return nil
}

func validPort(port int) bool { return port >= 1 && port <= 65535 }
