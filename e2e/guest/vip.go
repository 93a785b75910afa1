package guest

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// dialTimeout is short, because an API server on the same host either accepts a connection immediately or is not
// running.
const dialTimeout = 2 * time.Second

// vip simulates the virtual IP address of a control plane. It accepts connections on the cluster's endpoint and
// forwards them to the backends in turn. When a backend is removed, vip closes the connections of the backend, because
// a real virtual IP address would move to another machine.
type vip struct {
	listener net.Listener

	mu       sync.Mutex
	backends []*backend
	next     int
	wg       sync.WaitGroup
}

// backend is the API server of one VM.
type backend struct {
	name        string
	address     string
	connections map[net.Conn]struct{}
}

// newVIP listens on the endpoint, which has the format host:port.
func newVIP(ctx context.Context, endpoint string) (*vip, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", endpoint)
	if err != nil {
		return nil, fmt.Errorf("taking over the control-plane endpoint %s: %w", endpoint, err)
	}
	v := &vip{listener: listener}
	v.wg.Go(v.accept)
	return v, nil
}

// add adds the API server of a VM to the backends.
func (v *vip) add(name, address string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.backends = append(v.backends, &backend{name: name, address: address, connections: map[net.Conn]struct{}{}})
}

// remove removes a VM's API server from the backends and closes its connections.
func (v *vip) remove(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, b := range v.backends {
		if b.name != name {
			continue
		}
		v.backends = append(v.backends[:i:i], v.backends[i+1:]...)
		for connection := range b.connections {
			_ = connection.Close()
		}
		return
	}
}

// close stops accepting connections and closes all connections.
func (v *vip) close() {
	_ = v.listener.Close()
	v.mu.Lock()
	backends := v.backends
	v.backends = nil
	for _, b := range backends {
		for connection := range b.connections {
			_ = connection.Close()
		}
	}
	v.mu.Unlock()
	v.wg.Wait()
}

func (v *vip) accept() {
	for {
		connection, err := v.listener.Accept()
		if err != nil {
			return
		}
		v.wg.Go(func() { v.serve(connection) })
	}
}

func (v *vip) serve(downstream net.Conn) {
	defer func() { _ = downstream.Close() }()
	b := v.pick()
	if b == nil {
		return
	}
	upstream, err := net.DialTimeout("tcp", b.address, dialTimeout)
	if err != nil {
		return
	}
	defer func() { _ = upstream.Close() }()
	if !v.track(b, downstream, upstream) {
		return
	}
	defer v.untrack(b, downstream, upstream)

	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(upstream, downstream)
		closeWrite(upstream)
	}()
	_, _ = io.Copy(downstream, upstream)
	// The response is complete or the backend has closed the connection, so the other direction is no longer needed.
	_ = downstream.Close()
	_ = upstream.Close()
	<-done
}

func (v *vip) pick() *backend {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.backends) == 0 {
		return nil
	}
	v.next++
	return v.backends[v.next%len(v.backends)]
}

// track registers connections of a backend. It returns false if the backend has been removed in the meantime.
func (v *vip) track(b *backend, connections ...net.Conn) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, known := range v.backends {
		if known == b {
			for _, c := range connections {
				b.connections[c] = struct{}{}
			}
			return true
		}
	}
	return false
}

func (v *vip) untrack(b *backend, connections ...net.Conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range connections {
		delete(b.connections, c)
	}
}

func closeWrite(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.CloseWrite()
	}
}
