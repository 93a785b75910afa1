package controllertest

import (
	"cmp"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/capnt/capnt/internal/toolbox/freeport"
)

// The account of the simulated Prism Central. The password is one that a search finds if it leaks.
const (
	Username = "admin"
	Password = "pr1sm-passw0rd-that-must-not-leak"
)

const basePath = "/api/nutanix/v3/"

// VM is a virtual machine in Prism.
type VM struct {
	UUID, Name, Description string
	// State is COMPLETE when it is empty.
	State     string
	Addresses []string
	// Categories are the values by key, and CategoryValues all values of keys that have several.
	Categories     map[string]string
	CategoryValues map[string][]string
	// PowerState is ON when it is empty.
	PowerState string
	// MemoryMiB is the memory; zero is what the workspace wants.
	MemoryMiB int64
	// PrismElement is the UUID of the Prism Element that runs it; empty when Prism Central does not say.
	PrismElement string
	// VolumeGroups are the UUIDs of attached volume groups.
	VolumeGroups []string
}

// Prism speaks the few calls of the v3 API that the controllers make. Its inventory: the Prism Elements pe-1 and pe-2 with
// the subnets net-1 and net-2; the images ubuntu-1.36.3, twin (twice) and seed; the project team; the category
// env=prod; the storage container fast on pe-1; on pe-1 one host with one GPU "T4" (device ID 7864).
type Prism struct {
	server *httptest.Server

	mu       sync.Mutex
	vms      map[string]VM
	password string
	status   int
	missing  map[string]bool
	// lingering are virtual machines that lists contain although they do not exist, and refused are the paths that are answered
	// with a status.
	lingering []VM
	refused   map[string]int
	detaching Detaching
	gpuTaken  bool
	requests  []string
	changes   vmChanges
	// hidden are the kinds that the account may not see.
	hidden map[string]bool
}

// NewPrism starts a Prism Central without virtual machines. Close it.
func NewPrism() *Prism {
	p := &Prism{vms: map[string]VM{}, password: Password, missing: map[string]bool{}, hidden: map[string]bool{}, changes: newVMChanges()}
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	_ = p.server.Listener.Close() // nobody has used it
	p.server.Listener = listen()
	p.server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it are part of the tests
	p.server.StartTLS()
	return p
}

// listen listens where no Prism Central has been before: by its address a cluster that another test left behind would be in
// this one.
func listen() net.Listener {
	ports, err := freeport.Find("127.0.0.1", 1)
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])))
	if err != nil {
		panic(err)
	}
	return listener
}

// Close ends the server.
func (p *Prism) Close() { p.server.Close() }

// HostPort is where it listens.
func (p *Prism) HostPort() (host string, port int32) {
	address := p.server.Listener.Addr().(*net.TCPAddr) //nolint:forcetypeassert // a TCP server
	return address.IP.String(), int32(address.Port)    //nolint:gosec // a port
}

// Bundle is the PEM certificate to trust.
func (p *Prism) Bundle() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
}

// Put adds or changes a virtual machine.
func (p *Prism) Put(vm VM) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.vms[vm.UUID] = vm
}

// Remove deletes a virtual machine.
func (p *Prism) Remove(uuid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.vms, uuid)
}

// Hide leaves out entities of a kind ("vms", "clusters") as from an account that may not see them; hidden false shows them again.
func (p *Prism) Hide(kind string, hidden bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hidden[kind] = hidden
}

// VMs are the virtual machines, sorted by name.
func (p *Prism) VMs() []VM {
	p.mu.Lock()
	defer p.mu.Unlock()
	var vms []VM
	for _, vm := range p.vms {
		vms = append(vms, vm)
	}
	slices.SortFunc(vms, func(a, b VM) int { return strings.Compare(a.Name, b.Name) })
	return vms
}

// Fail answers everything with a status from now on; zero heals it.
func (p *Prism) Fail(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}

// Linger lists a virtual machine that does not exist any more, as a list does that lags behind.
func (p *Prism) Linger(vm VM) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lingering = append(p.lingering, vm)
}

// Refuse answers a path such as "vms/list" with a status from now on; zero heals it.
func (p *Prism) Refuse(path string, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refused == nil {
		p.refused = map[string]int{}
	}
	p.refused[path] = status
}

// SetPassword changes the password that is accepted.
func (p *Prism) SetPassword(password string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.password = password
}

// Miss takes an image, a subnet and so on out of the inventory by its name; there puts it back.
func (p *Prism) Miss(name string, there bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missing[name] = !there
}

// TakeGPU gives the GPU to a virtual machine.
func (p *Prism) TakeGPU(taken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gpuTaken = taken
}

// Requests returns the requests since it was called last, as "GET vms/<uuid>".
func (p *Prism) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	requests := p.requests
	p.requests = nil
	return requests
}

// UUID is the UUID of a thing in the inventory.
func UUID(kind, n int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", kind, n) }

type thing map[string]any

func entity(uuid, name string, status thing) thing {
	status["name"], status["state"] = name, "COMPLETE"
	return thing{"metadata": thing{"uuid": uuid, "name": name}, "spec": thing{"name": name}, "status": status}
}

func (p *Prism) inventory(kind string) []thing {
	aos := thing{"config": thing{"service_list": []string{"AOS"}}}
	home := func(n int) thing {
		return thing{"kind": "cluster", "uuid": UUID(1, n), "name": fmt.Sprintf("pe-%d", n)}
	}
	all := map[string][]thing{
		"clusters": {entity(UUID(1, 1), "pe-1", thing{"resources": aos}), entity(UUID(1, 2), "pe-2", thing{"resources": aos})},
		"subnets": {
			entity(UUID(2, 1), "net-1", thing{"cluster_reference": home(1), "resources": thing{"subnet_type": "VLAN"}}),
			entity(UUID(2, 2), "net-2", thing{"cluster_reference": home(2), "resources": thing{"subnet_type": "VLAN"}}),
		},
		"images": {
			entity(UUID(3, 1), "ubuntu-1.36.3", thing{"resources": thing{"size_bytes": 1 << 30}}),
			entity(UUID(3, 2), "twin", thing{"resources": thing{}}), entity(UUID(3, 3), "twin", thing{"resources": thing{}}),
			entity(UUID(3, 4), "seed", thing{"resources": thing{}}),
		},
		"projects": {entity(UUID(4, 1), "team", thing{"resources": thing{}})},
		"hosts": {entity(UUID(5, 1), "host-1", thing{"cluster_reference": home(1), "resources": thing{"gpu_list": []thing{{
			"name": "T4", "vendor": "NVIDIA", "mode": "PASSTHROUGH_COMPUTE", "device_id": 7864, "status": map[bool]string{false: "UNUSED", true: "USED"}[p.gpuTaken],
		}}}})},
	}
	for _, vm := range p.vms {
		all["vms"] = append(all["vms"], vm.entity())
	}
	if p.hidden[kind] {
		return []thing{}
	}
	return slices.DeleteFunc(all[kind], func(e thing) bool { return p.missing[e["metadata"].(thing)["name"].(string)] }) //nolint:forcetypeassert // made above
}

func (v VM) entity() thing {
	var nics []thing
	for _, address := range v.Addresses {
		nics = append(nics, thing{"ip_endpoint_list": []thing{{"ip": address}}})
	}
	made := entity(v.UUID, v.Name, thing{"description": v.Description, "resources": thing{"power_state": cmp.Or(v.PowerState, "ON"), "nic_list": nics}})
	resources := made["status"].(thing)["resources"].(thing) //nolint:forcetypeassert // made above
	resources["disk_list"] = v.disks()
	made["spec"].(thing)["resources"] = resources                     //nolint:forcetypeassert // made above
	made["metadata"].(thing)["categories"] = v.Categories             //nolint:forcetypeassert // made above
	made["metadata"].(thing)["categories_mapping"] = v.CategoryValues //nolint:forcetypeassert // made above
	if v.PrismElement != "" {
		made["status"].(thing)["cluster_reference"] = thing{"kind": "cluster", "uuid": v.PrismElement} //nolint:forcetypeassert // made above
	}
	if v.State != "" {
		made["status"].(thing)["state"] = v.State //nolint:forcetypeassert // made above
	}
	return made
}

func (p *Prism) serve(w http.ResponseWriter, request *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path := strings.TrimPrefix(request.URL.Path, basePath)
	p.requests = append(p.requests, request.Method+" "+path)
	username, password, _ := request.BasicAuth()
	switch {
	case p.status != 0:
		w.WriteHeader(p.status)
		return
	case username != Username || password != p.password:
		refuse(w, http.StatusUnauthorized, "AUTHENTICATION_REQUIRED")
		return
	case p.refused[path] != 0:
		refuse(w, p.refused[path], "REFUSED")
		return
	}
	kind, rest, _ := strings.Cut(path, "/")
	switch {
	case request.Method == http.MethodPost && path == "vms":
		p.create(w, request.Body)
	case request.Method == http.MethodDelete && kind == "vms":
		p.delete(w, rest)
	case kind == "tasks" && p.changes.tasks[rest] != "":
		reply(w, thing{"uuid": rest, "status": p.changes.tasks[rest]})
	case rest == "list":
		p.list(w, kind, request.Body)
	case kind == "groups":
		reply(w, thing{"group_results": []thing{{"total_entity_count": 1, "entity_results": []thing{{"entity_id": UUID(8, 1), "data": []thing{
			{"name": "container_name", "values": []thing{{"values": []string{"fast"}}}}, {"name": "cluster", "values": []thing{{"values": []string{UUID(1, 1)}}}},
		}}}}}})
	case kind == "vms" && request.Method == http.MethodPut:
		p.put(w, rest, request.Body)
	case kind == "tasks" && rest == detachTask:
		p.task(w)
	case kind == "categories" && rest == "env/prod":
		reply(w, thing{"name": "env", "value": "prod"})
	default:
		for _, found := range p.inventory(kind) {
			if found["metadata"].(thing)["uuid"] == rest { //nolint:forcetypeassert // made above
				reply(w, found)
				return
			}
		}
		refuse(w, http.StatusNotFound, "ENTITY_NOT_FOUND")
	}
}

func (p *Prism) list(w io.Writer, kind string, body io.Reader) {
	var asked struct{ Filter string }
	_ = json.NewDecoder(body).Decode(&asked) // a list without a filter lists everything
	_, name, filtered := strings.Cut(asked.Filter, "==")
	all := p.inventory(kind)
	if kind == "vms" {
		for _, vm := range p.lingering {
			all = append(all, vm.entity())
		}
	}
	matches := slices.DeleteFunc(all, func(e thing) bool {
		metadata := e["metadata"].(thing)                                          //nolint:forcetypeassert // made above
		unlisted := kind == "vms" && p.changes.unlisted[metadata["uuid"].(string)] //nolint:forcetypeassert // made above
		return unlisted || filtered && kind != "clusters" && metadata["name"] != name
	})
	if matches == nil {
		matches = []thing{}
	}
	reply(w, thing{"metadata": thing{"total_matches": len(matches)}, "entities": matches})
}

func reply(w io.Writer, value thing) {
	_ = json.NewEncoder(w).Encode(value) // a client that has gone away needs no answer
}

func refuse(w http.ResponseWriter, status int, reason string) {
	w.WriteHeader(status)
	reply(w, thing{"state": "ERROR", "code": status, "message_list": []thing{{"reason": reason, "message": "it is refused"}}})
}
