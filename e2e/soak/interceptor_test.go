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

// interceptor is a reverse proxy between the manager and Prism Central. It triggers kills and records requests that
// must not be sent.
type interceptor struct {
	*httptest.Server
	prism    *prismsim.Server
	upstream *http.Transport
	// triggered receives each kill that a request triggers.
	triggered chan trigger

	mu         sync.Mutex
	armed      *kill
	mayDelete  bool
	creates    map[string]int // accepted creates by VM name
	violations []string
}

// trigger is a request that triggered a kill. It is held until done is closed.
type trigger struct {
	kill kill
	vm   string
	done chan struct{}
}

func newInterceptor(t *testing.T, prism *prismsim.Server) *interceptor {
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

// arm sets the kill that the next request of its kind triggers.
func (i *interceptor) arm(k kill) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.armed = &k
}

// disarm removes the armed kill. It returns false when there is none, because a request has triggered it.
func (i *interceptor) disarm() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	armed := i.armed != nil
	i.armed = nil
	return armed
}

// startPhase resets the counters and sets whether VMs may be deleted.
func (i *interceptor) startPhase(mayDelete bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.mayDelete = mayDelete
	clear(i.creates)
}

// results returns the accepted creates by name, and the requests that must not have been sent.
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

// hit returns the armed kill if the request triggers it. Only requests of Terraform trigger a kill of Terraform.
func (i *interceptor) hit(r *http.Request, kind string) *kill {
	i.mu.Lock()
	defer i.mu.Unlock()
	hit := i.armed
	if hit == nil || hit.request != kind || hit.victim == terraform && !strings.HasPrefix(r.UserAgent(), "nutanix/") {
		return nil
	}
	i.armed = nil
	return hit
}

func (i *interceptor) fire(k kill, vm string) {
	trigger := trigger{kill: k, vm: vm, done: make(chan struct{})}
	i.triggered <- trigger
	<-trigger.done
}

// forward sends the request to Prism Central. It does not end when the client disconnects, because Prism Central
// processes every request that it has received.
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

// check records requests that must not be sent.
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

// nameOf returns the name of the VM with that UUID, or the UUID.
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
