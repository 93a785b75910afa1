package world

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/capnt/capnt/e2e/prismsim"
)

// Reservation is an address that the cluster reserved.
type Reservation struct{ Address, Context string }

// Pieces are all that the cluster has in Prism Central for load balancers, as texts in order.
func (w *World) Pieces() []string {
	out := []string{}
	for _, r := range w.Reservations() {
		out = append(out, "reservation "+r.Address+" "+r.Context)
	}
	for _, s := range w.Prism.LoadBalancerSessions() {
		if w.owns(s.Name) {
			out = append(out, "session "+s.Name)
		}
	}
	for _, f := range w.Prism.FloatingIPs() {
		if w.owns(f.Name) {
			out = append(out, "floating IP "+f.Address+" "+f.Name)
		}
	}
	slices.Sort(out)
	return out
}

// owns tells whether a name starts as those of the cluster do, and a UID follows.
func (w *World) owns(name string) bool {
	rest, ok := strings.CutPrefix(name, w.Config.ClusterName+"-")
	const uid = 36
	return ok && len(rest) >= uid && strings.Count(rest[:uid], "-") == 4
}

// Reservations are those of the cluster in all subnets.
func (w *World) Reservations() []Reservation {
	out := []Reservation{}
	for _, r := range w.Prism.ReservedIPs("") {
		if strings.HasPrefix(r.ClientContext, w.Config.ClusterName+"/") {
			out = append(out, Reservation{r.Address, r.ClientContext})
		}
	}
	return out
}

// ReservationsOf are those of a Service.
func (w *World) ReservationsOf(service *corev1.Service) []Reservation {
	of := w.Config.ClusterName + "/" + string(service.UID)
	return slices.DeleteFunc(w.Reservations(), func(r Reservation) bool { return !strings.HasPrefix(r.Context, of) })
}

// Context is the client context of what the manager reserves for a Service.
func (w *World) Context(service *corev1.Service) string {
	w.t.Helper()
	namespace, err := w.Kube.CoreV1().Namespaces().Get(w.ctx(), metav1.NamespaceSystem, metav1.GetOptions{})
	require.NoError(w.t, err)
	id, _, _ := strings.Cut(string(namespace.UID), "-")
	return w.Config.ClusterName + "/" + string(service.UID) + "/" + id
}

// Sessions are those of a Service, in order of their names.
func (w *World) Sessions(service *corev1.Service) []prismsim.LoadBalancerSession {
	prefix := w.Config.ClusterName + "-" + string(service.UID) + "-"
	out := slices.DeleteFunc(w.Prism.LoadBalancerSessions(), func(s prismsim.LoadBalancerSession) bool { return !strings.HasPrefix(s.Name, prefix) })
	slices.SortFunc(out, func(a, b prismsim.LoadBalancerSession) int { return strings.Compare(a.Name+a.UUID, b.Name+b.UUID) })
	return out
}

// FloatingIPsOf are those of a Service.
func (w *World) FloatingIPsOf(service *corev1.Service) []prismsim.FloatingIP {
	name := w.Config.ClusterName + "-" + string(service.UID)
	return slices.DeleteFunc(w.Prism.FloatingIPs(), func(f prismsim.FloatingIP) bool { return !strings.HasPrefix(f.Name, name) })
}

// Balances waits until the sessions of the Service, as it is now, are exactly one for each port, on the address, with the
// node port of each of these Nodes (whose machines have the same names) behind it.
func (w *World) Balances(name, address string, nodes ...string) {
	w.t.Helper()
	w.Until("sessions of Service "+name, func() string { return w.Imbalance(w.ReadService(name), address, nodes...) })
}

// Imbalance says how the sessions of a Service differ from what it wants.
func (w *World) Imbalance(service *corev1.Service, address string, nodes ...string) string {
	var want []string
	for _, port := range service.Spec.Ports {
		for _, node := range nodes {
			want = append(want, fmt.Sprintf("%s %s:%d to %s:%d", port.Protocol, address, port.Port, node, port.NodePort))
		}
	}
	names := map[string]string{}
	for _, vm := range w.Prism.VMs() {
		names[vm.UUID] = vm.Name
	}
	var have []string
	for _, s := range w.Sessions(service) {
		for _, target := range s.Targets {
			have = append(have, fmt.Sprintf("%s %s:%s to %s:%d", s.Protocol, s.VirtualIP, strings.Join(s.Ports, ","), names[target.VM], target.Port))
		}
		if len(s.Targets) == 0 {
			have = append(have, fmt.Sprintf("%s %s:%s to nobody", s.Protocol, s.VirtualIP, strings.Join(s.Ports, ",")))
		}
	}
	slices.Sort(want)
	slices.Sort(have)
	if slices.Equal(want, have) {
		return ""
	}
	return fmt.Sprintf("there is %q instead of %q", have, want)
}

// Struck tells whether a fault of Prism Central has hit a request.
func (w *World) Struck(fault string) bool {
	for _, f := range w.Prism.Faults().List() {
		if f.ID == fault {
			return f.Hits > 0
		}
	}
	return false
}

// Migrate moves a machine to another host of its Prism Element, and gives that host's UUID.
func (w *World) Migrate(vm Machine) (host string) {
	w.t.Helper()
	to := "host-3"
	if w.Machine(vm.UUID).Host == to {
		to = "host-2"
	}
	require.NoError(w.t, w.Prism.MigrateVM(vm.UUID, to))
	id, err := w.Prism.UUID("host", to)
	require.NoError(w.t, err)
	return id
}

// Learn lets addresses be seen on the first interface of a machine.
func (w *World) Learn(vm Machine, addresses ...string) {
	w.t.Helper()
	for _, address := range addresses {
		require.NoError(w.t, w.Prism.LearnAddress(vm.UUID, "", address))
	}
}

// FailOver gives a machine another identifier in Prism Central, as a failover between metro sites does; the guest keeps the
// system UUID that it was born with.
func (w *World) FailOver(vm Machine) (fresh string) {
	w.t.Helper()
	fresh, err := w.Prism.ChangeExtID(vm.UUID, "")
	require.NoError(w.t, err)
	return fresh
}
