package soak

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
)

// interceptor is a reverse proxy between the manager and Prism Central. It triggers faults at requests, and records
// requests that the manager must not send.
type interceptor struct {
	*httptest.Server
	prism    *prismsim.Server
	upstream *http.Transport
	// triggered receives a value whenever a request triggers a fault.
	triggered chan trigger

	mu        sync.Mutex
	armed     *fault
	mayDelete bool
	creates   map[string]int // accepted creates by VM name
	// gate is closed when reads of the provider continue. It is nil if they are not held. waiting is the number of held reads.
	gate       chan struct{}
	waiting    int
	violations []string
}

// trigger describes a fault and the request that triggered it. The interceptor holds the request until done is closed.
type trigger struct {
	fault fault
	vm    string
	done  chan struct{}
}

func newInterceptor(t testing.TB, prism *prismsim.Server) *interceptor {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(prism.CABundle()))
	i := &interceptor{
		prism: prism, triggered: make(chan trigger), creates: map[string]int{},
		upstream: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 64},
	}
	i.Server = httptest.NewUnstartedServer(http.HandlerFunc(i.serve))
	i.Config.ErrorLog = log.New(io.Discard, "", 0)
	i.StartTLS()
	t.Cleanup(func() {
		i.CloseClientConnections()
		i.Close()
		i.upstream.CloseIdleConnections()
	})
	return i
}

// address returns the host and the port of the interceptor.
func (i *interceptor) address() (string, int32) {
	address := i.Listener.Addr().(*net.TCPAddr)
	return address.IP.String(), int32(address.Port)
}

func (i *interceptor) trustBundle() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw}))
}

// arm makes the interceptor trigger the fault f at the next request that matches f. Until then, f is the armed fault.
func (i *interceptor) arm(f fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.armed = &f
}

// disarm removes the armed fault. It returns false if a request has already triggered the fault.
func (i *interceptor) disarm() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	armed := i.armed != nil
	i.armed = nil
	return armed
}

// startPhase resets the counters of accepted creates, and sets whether VMs may be deleted in the new phase.
func (i *interceptor) startPhase(mayDelete bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.mayDelete = mayDelete
	clear(i.creates)
}

// results returns the number of accepted creates by VM name, and descriptions of the requests that must not be sent.
func (i *interceptor) results() (map[string]int, []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return maps.Clone(i.creates), append([]string(nil), i.violations...)
}

func (i *interceptor) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	kind, uuid := kindOf(r.Method, r.URL.Path)
	vm := i.nameOf(uuid)
	if kind == kindCreate {
		vm = nameIn(body)
	}
	if kind == kindRead && fromProvider(r) {
		i.pass()
	}
	hit := i.hit(r, kind)
	if hit != nil && !hit.after {
		i.fire(*hit, vm)
		if hit.lost {
			panic(http.ErrAbortHandler)
		}
	}
	i.check(kind, vm, body)
	resp, reply := i.forward(r, body)
	i.count(kind, vm, resp.StatusCode)
	if hit != nil && hit.after {
		i.fire(*hit, vm)
	}
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(reply)
}

// hit returns the armed fault if the request triggers it, and nil otherwise. A kill of Terraform or its provider is
// triggered only by requests from the provider.
func (i *interceptor) hit(r *http.Request, kind string) *fault {
	i.mu.Lock()
	defer i.mu.Unlock()
	hit := i.armed
	if hit == nil || hit.request != kind || hit.victim.run() && !fromProvider(r) {
		return nil
	}
	i.armed = nil
	return hit
}

func fromProvider(r *http.Request) bool { return strings.HasPrefix(r.UserAgent(), "nutanix/") }

// holdReads holds each read of a VM by a provider until open is called.
func (i *interceptor) holdReads() (open func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	gate := make(chan struct{})
	i.gate, i.waiting = gate, 0
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.gate = nil
		close(gate)
	}
}

// held returns the number of reads that have been held.
func (i *interceptor) held() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.waiting
}

// pass waits while reads are held.
func (i *interceptor) pass() {
	i.mu.Lock()
	gate := i.gate
	if gate != nil {
		i.waiting++
	}
	i.mu.Unlock()
	if gate != nil {
		<-gate
	}
}

func (i *interceptor) fire(f fault, vm string) {
	trigger := trigger{fault: f, vm: vm, done: make(chan struct{})}
	i.triggered <- trigger
	<-trigger.done
}

// forward sends the request to Prism Central and returns the response. The request continues when the client
// disconnects, because a real Prism Central processes every request that it has received.
func (i *interceptor) forward(r *http.Request, body []byte) (*http.Response, []byte) {
	request, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, i.prism.URL()+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	request.Header = r.Header.Clone()
	resp, err := i.upstream.RoundTrip(request)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = resp.Body.Close() }()
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return resp, reply
}

// check records a violation if the manager must not send the request. The manager must not delete a VM whose Machine
// exists, and an update must not change the power state ON.
func (i *interceptor) check(kind, vm string, body []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if kind == kindDelete && !i.mayDelete {
		i.violations = append(i.violations, fmt.Sprintf("VM %s was deleted while its Machine existed", vm))
	}
	var update struct {
		Spec struct {
			Resources struct {
				PowerState string `json:"power_state"`
			} `json:"resources"`
		} `json:"spec"`
	}
	if kind == kindUpdate && json.Unmarshal(body, &update) == nil && update.Spec.Resources.PowerState != "ON" && !i.mayDelete {
		i.violations = append(i.violations, fmt.Sprintf("VM %s was updated with power state %q", vm, update.Spec.Resources.PowerState))
	}
}

func (i *interceptor) count(kind, vm string, status int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if kind == kindCreate && status < http.StatusMultipleChoices {
		i.creates[vm]++
	}
}

// nameOf returns the name of the VM with the UUID uuid, or uuid itself if the VM does not exist.
func (i *interceptor) nameOf(uuid string) string {
	if uuid == "" {
		return ""
	}
	for _, vm := range i.prism.VMs() {
		if vm.UUID == uuid {
			return vm.Name
		}
	}
	return uuid
}

func nameIn(body []byte) string {
	var create struct {
		Spec struct {
			Name string `json:"name"`
		} `json:"spec"`
	}
	_ = json.Unmarshal(body, &create)
	return create.Spec.Name
}
