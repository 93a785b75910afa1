package controllertest

import (
	"cmp"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/capnt/capnt/internal/toolbox/freeport"
)

// The credentials of the Prism Central account. The password is an unusual string, so that a search can find it if it
// leaks.
const (
	Username = "admin"
	Password = "pr1sm-passw0rd-that-must-not-leak"
)

const basePath = "/api/nutanix/v3/"

// VM is a virtual machine in Prism.
type VM struct {
	UUID, Name, Description string
	// State is the state of the VM; empty means COMPLETE.
	State     string
	Addresses []string
	// Categories are the category values by key. CategoryValues lists all values for keys with several values.
	Categories     map[string]string
	CategoryValues map[string][]string
	// CategoryUUIDs are the UUIDs of the categories in the v4 API.
	CategoryUUIDs []string
	// PowerState is the power state; empty means ON.
	PowerState string
	// MemoryMiB is the memory. If it is zero, the VM has the memory that the workspace describes.
	MemoryMiB int64
	// PrismElement is the UUID of the Prism Element that runs the VM. If PrismElement is empty, responses contain no
	// Prism Element.
	PrismElement string
	// VolumeGroups are the UUIDs of attached volume groups.
	VolumeGroups []string
}

// Prism is a double of Prism Central with the calls of the v3 and v4 APIs that the controllers make (see prismv4.go). Its inventory has the Prism Elements
// pe-1 and pe-2 with the subnets net-1 and net-2; the images ubuntu-1.36.3, twin (two of that name) and seed; the project team;
// the category env=prod; the storage container fast on pe-1; and on pe-1 a host with one GPU "T4" (device ID 7864).
type Prism struct {
	server *httptest.Server

	mu       sync.Mutex
	vms      map[string]VM
	password string
	status   int
	missing  map[string]bool
	// lingering are deleted VMs that lists still contain. refused maps request paths to the HTTP status of their
	// responses.
	lingering []VM
	refused   map[string]int
	detaching Detaching
	gpuTaken  bool
	requests  []string
	changes   vmChanges
	// hidden are the kinds that the account has no right to see.
	hidden map[string]bool
	// lists contains the last list of each kind.
	lists map[string][]jsonObject
	// categories are the keys and values of the categories in the v4 API.
	categories [][2]string
	// policies are the anti-affinity policies in the v4 API.
	policies []jsonObject
}

// NewPrism starts a Prism Central without VMs. The caller must close it.
func NewPrism() *Prism {
	p := &Prism{vms: map[string]VM{}, password: Password, missing: map[string]bool{}, hidden: map[string]bool{}, lists: map[string][]jsonObject{}, changes: newVMChanges(),
		categories: [][2]string{{"env", "prod"}}}
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	_ = p.server.Listener.Close() // nothing has connected yet
	p.server.Listener = listen()
	p.server.Config.ErrorLog = log.New(io.Discard, "", 0) // discards handshake errors of clients that do not trust the certificate
	p.server.StartTLS()
	return p
}

// listen listens on a port that no earlier Prism Central has used. On a reused port, this Prism Central would receive
// requests for a cluster that another test left behind.
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

// Close stops the server.
func (p *Prism) Close() { p.server.Close() }

// HostPort returns the host and the port of the server.
func (p *Prism) HostPort() (host string, port int32) {
	address := p.server.Listener.Addr().(*net.TCPAddr) //nolint:forcetypeassert // a TCP server
	return address.IP.String(), int32(address.Port)    //nolint:gosec // a port
}

// Bundle returns the server's certificate as PEM.
func (p *Prism) Bundle() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
}

// Put adds or replaces a VM.
func (p *Prism) Put(vm VM) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.vms[vm.UUID] = vm
}

// Remove deletes a VM.
func (p *Prism) Remove(uuid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.vms, uuid)
}

// Hide hides all entities of a kind ("vms", "clusters") from the account, or shows them again if hidden is false.
func (p *Prism) Hide(kind string, hidden bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hidden[kind] = hidden
}

// VMs returns the VMs, sorted by name.
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

// Fail makes every response have the HTTP status; zero restores normal responses.
func (p *Prism) Fail(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}

// Linger makes lists contain a VM that is already deleted, as stale lists of Prism Central do.
func (p *Prism) Linger(vm VM) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lingering = append(p.lingering, vm)
}

// Refuse makes every response for path, such as "vms/list", have the HTTP status; zero restores normal responses.
func (p *Prism) Refuse(path string, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refused == nil {
		p.refused = map[string]int{}
	}
	p.refused[path] = status
}

// SetPassword sets the password that the server accepts.
func (p *Prism) SetPassword(password string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.password = password
}

// SetPresent removes the image, subnet or other entity with the name from the inventory, or adds the entity again if
// present is true.
func (p *Prism) SetPresent(name string, present bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missing[name] = !present
}

// TakeGPU assigns the GPU to a VM, or frees it if taken is false.
func (p *Prism) TakeGPU(taken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gpuTaken = taken
}

// Requests returns the requests of the manager itself since the previous call of Requests, for example "GET vms/<uuid>".
func (p *Prism) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	requests := p.requests
	p.requests = nil
	return requests
}

// UUID returns the UUID of the n-th entity of a kind.
func UUID(kind, n int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", kind, n) }

type jsonObject map[string]any

func entity(uuid, name string, status jsonObject) jsonObject {
	status["name"], status["state"] = name, "COMPLETE"
	return jsonObject{"metadata": jsonObject{"uuid": uuid, "name": name}, "spec": jsonObject{"name": name}, "status": status}
}

func (p *Prism) inventory(kind string) []jsonObject {
	aos := jsonObject{"config": jsonObject{"service_list": []string{"AOS"}}}
	home := func(n int) jsonObject {
		return jsonObject{"kind": "cluster", "uuid": UUID(1, n), "name": fmt.Sprintf("pe-%d", n)}
	}
	all := map[string][]jsonObject{
		"clusters": {entity(UUID(1, 1), "pe-1", jsonObject{"resources": aos}), entity(UUID(1, 2), "pe-2", jsonObject{"resources": aos})},
		"subnets": {
			entity(UUID(2, 1), "net-1", jsonObject{"cluster_reference": home(1), "resources": jsonObject{"subnet_type": "VLAN"}}),
			entity(UUID(2, 2), "net-2", jsonObject{"cluster_reference": home(2), "resources": jsonObject{"subnet_type": "VLAN"}}),
		},
		"images": {
			entity(UUID(3, 1), "ubuntu-1.36.3", jsonObject{"resources": jsonObject{"size_bytes": 1 << 30}}),
			entity(UUID(3, 2), "twin", jsonObject{"resources": jsonObject{}}), entity(UUID(3, 3), "twin", jsonObject{"resources": jsonObject{}}),
			entity(UUID(3, 4), "seed", jsonObject{"resources": jsonObject{}}),
		},
		"projects": {entity(UUID(4, 1), "team", jsonObject{"resources": jsonObject{}})},
		"hosts": {entity(UUID(5, 1), "host-1", jsonObject{"cluster_reference": home(1), "resources": jsonObject{"gpu_list": []jsonObject{{
			"name": "T4", "vendor": "NVIDIA", "mode": "PASSTHROUGH_COMPUTE", "device_id": 7864, "status": map[bool]string{false: "UNUSED", true: "USED"}[p.gpuTaken],
		}}}})},
	}
	if kind == "vms" {
		for _, uuid := range slices.Sorted(maps.Keys(p.vms)) {
			all[kind] = append(all[kind], p.vms[uuid].entity())
		}
	}
	if p.hidden[kind] {
		return []jsonObject{}
	}
	return slices.DeleteFunc(all[kind], func(e jsonObject) bool { return p.missing[e["metadata"].(jsonObject)["name"].(string)] }) //nolint:forcetypeassert // made above
}

func (v VM) entity() jsonObject {
	var nics []jsonObject
	for _, address := range v.Addresses {
		nics = append(nics, jsonObject{"ip_endpoint_list": []jsonObject{{"ip": address}}})
	}
	made := entity(v.UUID, v.Name, jsonObject{"description": v.Description, "resources": jsonObject{"power_state": cmp.Or(v.PowerState, "ON"), "nic_list": nics}})
	resources := made["status"].(jsonObject)["resources"].(jsonObject) //nolint:forcetypeassert // made above
	resources["disk_list"] = v.disks()
	if v.MemoryMiB != 0 {
		resources["memory_size_mib"] = v.MemoryMiB
	}
	made["spec"].(jsonObject)["resources"] = resources                     //nolint:forcetypeassert // made above
	made["metadata"].(jsonObject)["categories"] = v.Categories             //nolint:forcetypeassert // made above
	made["metadata"].(jsonObject)["categories_mapping"] = v.CategoryValues //nolint:forcetypeassert // made above
	if v.PrismElement != "" {
		made["status"].(jsonObject)["cluster_reference"] = jsonObject{"kind": "cluster", "uuid": v.PrismElement} //nolint:forcetypeassert // made above
	}
	if v.State != "" {
		made["status"].(jsonObject)["state"] = v.State //nolint:forcetypeassert // made above
	}
	return made
}

func (p *Prism) serve(w http.ResponseWriter, request *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path := strings.TrimPrefix(request.URL.Path, basePath)
	if request.UserAgent() != runAgent {
		p.requests = append(p.requests, request.Method+" "+path)
	}
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
	if v4Path.MatchString(request.URL.Path) {
		p.serveV4(w, request)
		return
	}
	kind, rest, _ := strings.Cut(path, "/")
	switch {
	case request.Method == http.MethodPost && path == "vms":
		p.create(w, request.Body)
	case request.Method == http.MethodDelete && kind == "vms":
		p.delete(w, rest)
	case kind == "tasks" && p.changes.tasks[rest] != "":
		reply(w, jsonObject{"uuid": rest, "status": p.changes.tasks[rest]})
	case rest == "list":
		p.list(w, kind, request.Body)
	case kind == "groups":
		reply(w, jsonObject{"group_results": []jsonObject{{"total_entity_count": 1, "entity_results": []jsonObject{{"entity_id": UUID(8, 1), "data": []jsonObject{
			{"name": "container_name", "values": []jsonObject{{"values": []string{"fast"}}}}, {"name": "cluster", "values": []jsonObject{{"values": []string{UUID(1, 1)}}}},
		}}}}}})
	case kind == "vms" && request.Method == http.MethodPut:
		p.put(w, rest, request.Body)
	case kind == "tasks" && rest == detachTask:
		p.task(w)
	case kind == "categories" && p.hasCategoryAt(rest):
		key, value, _ := strings.Cut(rest, "/")
		reply(w, jsonObject{"name": key, "value": value})
	case kind == "vms":
		vm, found := p.vms[rest]
		if !found || p.hidden[kind] || p.missing[vm.Name] {
			refuse(w, http.StatusNotFound, "ENTITY_NOT_FOUND")
			return
		}
		reply(w, vm.entity())
	default:
		for _, found := range p.inventory(kind) {
			if found["metadata"].(jsonObject)["uuid"] == rest { //nolint:forcetypeassert // made above
				reply(w, found)
				return
			}
		}
		refuse(w, http.StatusNotFound, "ENTITY_NOT_FOUND")
	}
}

func (p *Prism) list(w io.Writer, kind string, body io.Reader) {
	var asked struct {
		Filter         string
		Offset, Length int
	}
	_ = json.NewDecoder(body).Decode(&asked) // the fields that the request does not have stay empty
	if asked.Offset == 0 {
		p.lists[kind] = p.matches(kind, asked.Filter)
	}
	matches := p.lists[kind] // all pages show what the first page showed
	page := append([]jsonObject{}, matches[min(asked.Offset, len(matches)):]...)
	if asked.Length > 0 {
		page = page[:min(asked.Length, len(page))]
	}
	reply(w, jsonObject{"metadata": jsonObject{"total_matches": len(matches)}, "entities": page})
}

// matches returns the entities of a kind that match the filter.
func (p *Prism) matches(kind, filter string) []jsonObject {
	_, name, filtered := strings.Cut(filter, "==")
	all := p.inventory(kind)
	if kind == "vms" {
		for _, vm := range p.lingering {
			all = append(all, vm.entity())
		}
	}
	return slices.DeleteFunc(all, func(e jsonObject) bool {
		metadata := e["metadata"].(jsonObject)                                     //nolint:forcetypeassert // made above
		unlisted := kind == "vms" && p.changes.unlisted[metadata["uuid"].(string)] //nolint:forcetypeassert // made above
		return unlisted || filtered && kind != "clusters" && metadata["name"] != name
	})
}

func reply(w io.Writer, value jsonObject) {
	_ = json.NewEncoder(w).Encode(value) // the client may have disconnected
}

func refuse(w http.ResponseWriter, status int, reason string) {
	w.WriteHeader(status)
	reply(w, jsonObject{"state": "ERROR", "code": status, "message_list": []jsonObject{{"reason": reason, "message": "it is refused"}}})
}

// hasCategoryAt reports whether the category with the path key/value exists. The caller holds the lock.
func (p *Prism) hasCategoryAt(path string) bool {
	key, value, _ := strings.Cut(path, "/")
	return slices.Contains(p.categories, [2]string{key, value})
}
