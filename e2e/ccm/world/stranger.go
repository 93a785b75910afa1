package world

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/ccm/nutanix"
	"github.com/capnt/capnt/e2e/prismsim"
)

// Stranger is somebody who works in Prism Central past the manager.
func (w *World) Stranger() *nutanix.Client {
	host, port, err := splitHostPort(w.Prism.Address())
	require.NoError(w.t, err)
	return w.NewClient(host, port, w.Prism.CABundle())
}

// NewClient makes a client of what answers at that address as Prism Central. Nothing limits how fast it asks.
func (w *World) NewClient(host string, port int, bundle []byte) *nutanix.Client {
	return nutanix.New(nutanix.Options{
		Endpoint: func(context.Context) (nutanix.Endpoint, error) {
			user, secret := w.User()
			return nutanix.Endpoint{Address: host, Port: port, TrustBundle: bundle, Username: user, Password: secret}, nil
		},
		Limits: func() nutanix.Limits {
			return nutanix.Limits{Timeout: seconds(30).Duration, TaskTimeout: seconds(60).Duration, RequestsPerSecond: 1e6, Burst: 1e6}
		},
	})
}

// DeleteSession deletes a session behind the manager's back.
func (w *World) DeleteSession(session prismsim.LoadBalancerSession) {
	w.t.Helper()
	require.NoError(w.t, w.Stranger().DeleteLoadBalancerSession(w.ctx(), w.read(session)))
}

// Retarget sends the traffic of a session to another port of its targets.
func (w *World) Retarget(session prismsim.LoadBalancerSession, port int) {
	w.t.Helper()
	changed := w.read(session)
	require.NotEmpty(w.t, changed.Targets)
	for i := range changed.Targets {
		changed.Targets[i].Port = port
	}
	require.NoError(w.t, w.Stranger().UpdateLoadBalancerSession(w.ctx(), changed))
}

func (w *World) read(session prismsim.LoadBalancerSession) nutanix.LoadBalancerSession {
	w.t.Helper()
	list, err := w.Stranger().ListLoadBalancerSessions(w.ctx(), session.Name)
	require.NoError(w.t, err)
	at := slices.IndexFunc(list, func(s nutanix.LoadBalancerSession) bool { return s.UUID == session.UUID })
	require.GreaterOrEqual(w.t, at, 0)
	return list[at]
}

// Unreserve frees an address of the subnet for virtual IPs.
func (w *World) Unreserve(address string) {
	w.t.Helper()
	subnet, err := w.Prism.UUID("subnet", ServiceSubnet)
	require.NoError(w.t, err)
	require.NoError(w.t, w.Stranger().UnreserveIPs(w.ctx(), subnet, netip.MustParseAddr(address)))
}

// MakeForeign makes what a Service of another cluster has in Prism Central: a reservation and a session.
func (w *World) MakeForeign(cluster string) {
	w.t.Helper()
	ctx, api, uid := w.ctx(), w.Stranger(), uuid.NewString()
	subnet, err := w.Prism.UUID("subnet", ServiceSubnet)
	require.NoError(w.t, err)
	address, err := api.ReserveIP(ctx, subnet, netip.Addr{}, cluster+"/"+uid)
	require.NoError(w.t, err)
	vpcs, err := api.ListVPCs(ctx, VPC)
	require.NoError(w.t, err)
	_, err = api.CreateLoadBalancerSession(ctx, nutanix.LoadBalancerSession{
		Name: cluster + "-" + uid + "-tcp-80", VPCUUID: vpcs[0].UUID, SubnetUUID: subnet, VirtualIP: address, Protocol: nutanix.TCP, Port: 80,
		HealthCheck: nutanix.HealthCheck{IntervalSeconds: 10, TimeoutSeconds: 5, SuccessThreshold: 3, FailureThreshold: 3},
	})
	require.NoError(w.t, err)
}

// Foreign are the pieces in Prism Central of clusters whose name starts like that, in order.
func (w *World) Foreign(cluster string) []string {
	var out []string
	for _, r := range w.Prism.ReservedIPs("") {
		out = append(out, r.ClientContext)
	}
	for _, s := range w.Prism.LoadBalancerSessions() {
		out = append(out, s.Name)
	}
	out = slices.DeleteFunc(out, func(name string) bool { return !strings.HasPrefix(name, cluster) })
	slices.Sort(out)
	return out
}
