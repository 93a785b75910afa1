package world

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/providerid"
)

// clusterCategory is the category that marks virtual machines of a Kubernetes cluster.
const clusterCategory = "KubernetesClusterName"

// Machine is a virtual machine.
type Machine struct{ prismsim.VM }

// IPs are its addresses, NIC by NIC.
func (m Machine) IPs() []string {
	var out []string
	for _, nic := range m.NICs {
		out = append(out, nic.IPs...)
	}
	return out
}

// VM makes a virtual machine that is on, with an interface in each of the subnets; in that of the nodes when none is named.
func (w *World) VM(name string, subnets ...string) Machine {
	w.t.Helper()
	if len(subnets) == 0 {
		subnets = []string{NodeSubnet}
	}
	element, err := w.Prism.UUID("cluster", PrismElement)
	require.NoError(w.t, err)
	w.Prism.AddCategory(clusterCategory, w.Config.ClusterName)
	w.call(http.MethodPost, "/api/nutanix/v3/vms", map[string]any{
		"metadata": map[string]any{"kind": "vm", "categories": map[string]any{clusterCategory: w.Config.ClusterName}},
		"spec": map[string]any{
			"name": name, "cluster_reference": map[string]any{"kind": "cluster", "uuid": element},
			"resources": map[string]any{"power_state": "ON", "nic_list": w.nics(subnets)},
		},
	})
	var made Machine
	w.Until("virtual machine "+name+" to be on", func() string {
		at := slices.IndexFunc(w.Prism.VMs(), func(vm prismsim.VM) bool { return vm.Name == name && vm.PowerState == "ON" })
		if at < 0 {
			return "it is not"
		}
		made = Machine{w.Prism.VMs()[at]}
		return ""
	})
	return made
}

func (w *World) nics(subnets []string) []any {
	var out []any
	for _, name := range subnets {
		id, err := w.Prism.UUID("subnet", name)
		require.NoError(w.t, err)
		out = append(out, map[string]any{"subnet_reference": map[string]any{"kind": "subnet", "uuid": id}})
	}
	return out
}

// VMs makes many virtual machines at once, "node-0" and so on.
func (w *World) VMs(number int) []Machine {
	w.t.Helper()
	if number == 0 {
		return nil
	}
	w.Prism.AddCategory(clusterCategory, w.Config.ClusterName)
	vms, err := w.Prism.AddVMs(prismsim.Fleet{
		Count: number, NamePrefix: "node", PrismElement: PrismElement, Subnets: []string{NodeSubnet},
		Categories: map[string]string{clusterCategory: w.Config.ClusterName},
	})
	require.NoError(w.t, err)
	out := make([]Machine, 0, number)
	for _, vm := range vms {
		out = append(out, Machine{vm})
	}
	return out
}

// Join makes a virtual machine, registers its Node and waits until that is initialised.
func (w *World) Join(name string, subnets ...string) Machine {
	w.t.Helper()
	vm := w.VM(name, subnets...)
	w.Register(name, vm.UUID)
	w.Initialised(name)
	return vm
}

// NodeOf gives the initialised Node of a machine, which the API server is not told of.
func NodeOf(vm Machine) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: vm.Name},
		Spec:       corev1.NodeSpec{ProviderID: providerid.Format(vm.UUID)},
		Status:     corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{SystemUUID: vm.UUID}},
	}
}

// AddNIC adds an interface to a virtual machine.
func (w *World) AddNIC(vm Machine, subnet string) Machine {
	w.t.Helper()
	w.editNICs(vm, func(nics []any) []any { return append(nics, w.nics([]string{subnet})...) })
	return w.machineUntil(vm, "to have the interface", func(changed Machine) bool {
		return len(changed.NICs) == len(vm.NICs)+1 && len(changed.NICs[len(vm.NICs)].IPs) > 0
	})
}

// Readdress gives the first interface of a virtual machine another address.
func (w *World) Readdress(vm Machine, address string) {
	w.t.Helper()
	w.editNICs(vm, func(nics []any) []any {
		nics[0].(map[string]any)["ip_endpoint_list"] = []any{map[string]any{"ip": address, "type": "ASSIGNED"}}
		return nics
	})
	w.machineUntil(vm, "to have the address "+address, func(changed Machine) bool { return slices.Equal(changed.NICs[0].IPs, []string{address}) })
}

func (w *World) editNICs(vm Machine, change func([]any) []any) {
	w.t.Helper()
	path := "/api/nutanix/v3/vms/" + vm.UUID
	var body map[string]any
	require.NoError(w.t, json.Unmarshal(w.call(http.MethodGet, path, nil), &body))
	delete(body, "status")
	resources := body["spec"].(map[string]any)["resources"].(map[string]any)
	resources["nic_list"] = change(resources["nic_list"].([]any))
	w.call(http.MethodPut, path, body)
}

func (w *World) machineUntil(vm Machine, what string, holds func(Machine) bool) (now Machine) {
	w.t.Helper()
	w.Until("virtual machine "+vm.Name+" "+what, func() string {
		if now = w.Machine(vm.UUID); holds(now) {
			return ""
		}
		return fmt.Sprintf("its interfaces are %+v", now.NICs)
	})
	return now
}

// Machine gives a virtual machine that exists as it is now.
func (w *World) Machine(uuid string) Machine {
	w.t.Helper()
	vms := w.Prism.VMs()
	at := slices.IndexFunc(vms, func(vm prismsim.VM) bool { return vm.UUID == uuid })
	require.GreaterOrEqual(w.t, at, 0, "there is no VM %s", uuid)
	return Machine{vms[at]}
}

// call asks Prism Central directly, as its administrator.
func (w *World) call(method, path string, body any) []byte {
	w.t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(w.t, err)
	request, err := http.NewRequestWithContext(w.ctx(), method, w.Prism.URL()+path, bytes.NewReader(raw))
	require.NoError(w.t, err)
	request.SetBasicAuth(w.User())
	request.Header.Set("Content-Type", "application/json")
	answer, err := w.client().Do(request)
	require.NoError(w.t, err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	require.NoError(w.t, err)
	require.Less(w.t, answer.StatusCode, 300, "%s %s: %s", method, path, text)
	return text
}

func (w *World) client() *http.Client {
	if w.direct == nil {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(w.Prism.CABundle())
		w.direct = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
		w.t.Cleanup(w.direct.CloseIdleConnections)
	}
	return w.direct
}

// User gives the user of Prism Central and the password that is right now.
func (w *World) User() (name, secret string) { return username, w.password }

// ChangePassword gives the user another password, which the manager is not told.
func (w *World) ChangePassword() {
	w.password = password + "-changed"
	w.Prism.SetPassword(w.password)
}

// UseNewPassword tells the manager.
func (w *World) UseNewPassword() {
	w.t.Helper()
	w.Credentials(w.User())
}

func splitHostPort(address string) (string, int, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	number, err := strconv.Atoi(port)
	return host, number, err
}

// NotFoundAnswer is what Prism Central says, in its own words, when there is no such virtual machine.
func (w *World) NotFoundAnswer() string {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.ctx(), http.MethodGet, w.Prism.URL()+"/api/vmm/v4.0/ahv/config/vms/"+uuid.NewString(), nil)
	require.NoError(w.t, err)
	request.SetBasicAuth(w.User())
	answer, err := w.client().Do(request)
	require.NoError(w.t, err)
	defer func() { _ = answer.Body.Close() }()
	require.Equal(w.t, http.StatusNotFound, answer.StatusCode)
	text, err := io.ReadAll(answer.Body)
	require.NoError(w.t, err)
	return string(text)
}
