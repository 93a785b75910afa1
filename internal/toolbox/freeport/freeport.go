// Package freeport gives ports to servers that tests start, so that no two of them get the same one.
package freeport

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// Ports are taken from below the range that Linux uses for the near end of connections (net.ipv4.ip_local_port_range,
// 32768 and up by default), where a port that was free may be in use a moment later. They come in blocks: between the
// choice of a port and a server that listens on it lies the start of that server, and other processes of this machine
// choose meanwhile, so each has blocks of its own.
const (
	firstPort = 20000
	lastPort  = 32000
	blockSize = 50
)

var (
	claims struct {
		sync.Mutex
		// listeners are closed by the system, however the process ends.
		listeners []net.Listener
	}
	// handedOut is what is left of the block that this process claimed last.
	handedOut struct {
		sync.Mutex
		next, end int
	}
)

// Claim keeps host:port for this process until it ends, and with it whatever processes agree that it stands for. That
// another process has claimed it is an error.
func Claim(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("claiming %s: %w", address, err)
	}
	claims.Lock()
	defer claims.Unlock()
	claims.listeners = append(claims.listeners, listener)
	return nil
}

// Find returns n different TCP ports that are free on the IP address, and that no other call of any process on this
// machine has returned, as long as the process runs.
func Find(address string, n int) ([]int, error) {
	handedOut.Lock()
	defer handedOut.Unlock()
	const misses = 20
	ports := make([]int, 0, n)
	var problems []error
	for len(ports) < n {
		port, err := nextPort()
		if err == nil {
			err = probe(address, port)
		}
		if err == nil {
			ports = append(ports, port)
			continue
		}
		if problems = append(problems, err); len(problems) == misses {
			return nil, fmt.Errorf("looking for %d free ports on %s: %w", n, address, errors.Join(problems...))
		}
	}
	return ports, nil
}

// nextPort takes one from the block, or from a further block, whose first port is the claim on it. The caller holds the
// lock.
func nextPort() (int, error) {
	for first := firstPort; handedOut.next == handedOut.end; first += blockSize {
		if first >= lastPort {
			return 0, fmt.Errorf("all ports from %d to %d are claimed", firstPort, lastPort)
		}
		if Claim(join("127.0.0.1", first)) == nil {
			handedOut.next, handedOut.end = first+1, first+blockSize
		}
	}
	handedOut.next++
	return handedOut.next - 1, nil
}

func probe(address string, port int) error {
	listener, err := net.Listen("tcp", join(address, port))
	if err != nil {
		return err
	}
	// A process that is being started holds what this one has open until it runs its own program. While none is started and
	// none can be, closing frees the port.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return listener.Close()
}

func join(address string, port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }
