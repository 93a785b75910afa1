package guest

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"

	"github.com/capnt/capnt/e2e/guest/pki"
)

const (
	// These are the timeouts of the kubelet's streaming server.
	portForwardIdle   = 4 * time.Hour
	portForwardCreate = 30 * time.Second
	headerTimeout     = 10 * time.Second
)

// serveKubelet serves the port-forward API of the kubelet. Cluster API uses it to connect to the etcd member and the
// kube-apiserver of a control plane.
func (g *guest) serveKubelet(ip string) error {
	pair, err := g.cluster.keys.ca.Issue(pki.Request{
		CommonName: "system:node:" + g.config.nodeName, Organizations: []string{nodesGroup},
		DNSNames: []string{g.config.nodeName}, IPs: []net.IP{net.ParseIP(ip)},
	})
	if err != nil {
		return err
	}
	certificate, err := pair.TLS()
	if err != nil {
		return fmt.Errorf("starting the kubelet's server: %w", err)
	}
	listener, err := net.Listen("tcp", joinHostPort(ip, kubeletPort))
	if err != nil {
		return fmt.Errorf("starting the kubelet's server: %w", err)
	}
	routes := http.NewServeMux()
	routes.HandleFunc("/portForward/{namespace}/{pod}", func(w http.ResponseWriter, r *http.Request) {
		portforward.ServePortForward(w, r, forwarder{ip: ip}, r.PathValue("pod"), "", &portforward.V4Options{},
			portForwardIdle, portForwardCreate, []string{portforward.ProtocolV1Name})
	})
	server := &http.Server{
		Handler: routes, ReadHeaderTimeout: headerTimeout,
		// As with a real kubelet, callers must authenticate with a client certificate of the cluster. HTTP/2 is disabled,
		// because SPDY requires an upgrade of an HTTP/1.1 connection.
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{certificate}, ClientCAs: g.cluster.keys.ca.Pool(),
			ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	g.setKubelet(server)
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return nil
}

// forwarder forwards a stream to a port of the VM. All ports are on the VM's address, because static Pods use the
// host's network.
type forwarder struct{ ip string }

// PortForward copies data in both directions until one side closes its connection.
func (f forwarder) PortForward(ctx context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	upstream, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", joinHostPort(f.ip, int(port)))
	if err != nil {
		return fmt.Errorf("forwarding port %d: %w", port, err)
	}
	defer func() { _ = upstream.Close() }()
	go func() {
		_, _ = io.Copy(upstream, stream)
		_ = upstream.Close()
	}()
	_, err = io.Copy(stream, upstream)
	if err != nil && !strings.Contains(err.Error(), "use of closed") {
		return fmt.Errorf("forwarding port %d: %w", port, err)
	}
	return nil
}
