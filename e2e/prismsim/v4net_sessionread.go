package prismsim

import (
	netconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
)

// readSession reads a session of a request and checks it against the schema: required are name, description, vpcReference,
// listener, targetsConfig and healthCheckConfig, as in the models of the SDK.
func readSession(r *v4Request) (sessionSpec, error) {
	var in netconfig.LoadBalancerSession
	if err := r.decode(&in); err != nil {
		return sessionSpec{}, err
	}
	err := netRequired("", map[string]bool{
		"name": orZero(in.Name) != "", "description": in.Description != nil, "vpcReference": orZero(in.VpcReference) != "",
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
		err = netEnum("type", in.Type.GetName(), sessionType)
	}
	if err == nil && in.Algorithm != nil {
		err = netEnum("algorithm", in.Algorithm.GetName(), sessionAlgorithm)
	}
	return out, err
}

// The only type and algorithm of the API.
const (
	sessionType      = "NETWORK_LOAD_BALANCER"
	sessionAlgorithm = "FIVE_TUPLE_HASH"
)

func (spec *sessionSpec) readListener(in *netconfig.Listener) error {
	err := netRequired("listener", map[string]bool{
		"protocol": in.Protocol != nil, "portRanges": len(in.PortRanges) > 0, "virtualIP": in.VirtualIP != nil,
	})
	if err != nil {
		return err
	}
	spec.protocol = in.Protocol.GetName()
	if err := netEnum("listener.protocol", spec.protocol, "TCP", "UDP"); err != nil {
		return err
	}
	for _, in := range in.PortRanges {
		ports := portRange{orZero(in.StartPort), orZero(in.EndPort)}
		if !validPort(ports.first) || !validPort(ports.last) || ports.last < ports.first {
			return invalidBody("listener.portRanges", "%s is not a range of ports from 1 to 65535", ports)
		}
		spec.ports = append(spec.ports, ports)
	}
	return spec.readVIP(in.VirtualIP)
}

func (spec *sessionSpec) readVIP(in *netconfig.VirtualIP) error {
	const at = "listener.virtualIP"
	err := netRequired(at, map[string]bool{"assignmentType": in.AssignmentType != nil, "subnetReference": orZero(in.SubnetReference) != ""})
	if err != nil {
		return err
	}
	if err := netEnum(at+".assignmentType", in.AssignmentType.GetName(), "DYNAMIC", "STATIC"); err != nil {
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
		return netRequired(at, map[string]bool{"ipAddress": address.IsValid()})
	}
	return nil
}

func (spec *sessionSpec) readTargets(in *netconfig.Target) error {
	if len(in.CategoryTargets) > 0 {
		return invalidBody("targetsConfig.categoryTargets", "targets by category are not part of this simulation")
	}
	for _, t := range in.NicTargets {
		target := sessionTarget{nicUUID: orZero(t.VirtualNicReference), port: orZero(t.Port)}
		if target.nicUUID == "" || !validPort(target.port) {
			return invalidBody("targetsConfig.nicTargets", "a target needs a virtualNicReference and a port from 1 to 65535")
		}
		spec.targets = append(spec.targets, target)
	}
	return nil
}

func (spec *sessionSpec) readHealthCheck(in *netconfig.HealthCheck) error {
	spec.health = healthCheck{
		interval: valueOr(in.IntervalSecs, defaultHealthCheck.interval), timeout: valueOr(in.TimeoutSecs, defaultHealthCheck.timeout),
		success: valueOr(in.SuccessThreshold, defaultHealthCheck.success), failure: valueOr(in.FailureThreshold, defaultHealthCheck.failure),
	}
	if min(spec.health.interval, spec.health.timeout, spec.health.success, spec.health.failure) < 1 {
		return invalidBody("healthCheckConfig", "times and thresholds must be 1 or more")
	}
	return nil
}

func validPort(port int) bool { return port >= 1 && port <= 65535 }
