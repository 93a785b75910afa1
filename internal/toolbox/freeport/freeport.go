// Package freeport finds free ports for servers that tests start. Two servers never get the same port.
package freeport

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// Ports are below the range of ephemeral ports (net.ipv4.ip_local_port_range, by default 32768 and above), because any process may use a
// free ephemeral port at any time. A server starts some time after its port was chosen. To prevent another test process from choosing the
// same port in the meantime, each process claims blocks of ports.
const (
	firstPort = 20000
	lastPort  = 32000
	blockSize = 50
)

var (
	claims struct {
		sync.Mutex
		// listeners holds the claims. The operating system closes the listeners when the process ends.
		listeners []net.Listener
	}
	// block contains the ports of the last claimed block that have not been used.
	block struct {
		sync.Mutex
		next, end int
	}
)

// Claim claims host:port for this process until the process ends. It returns an error if another process has claimed host:port. No
// server has to use the port: processes can also agree on a port as the lock of another resource.
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

// Find returns n TCP ports that are free on the IP address. No other call of Find on this machine returns the same ports while this
// process runs, not even in another process.
func Find(address string, n int) ([]int, error) {
	block.Lock()
	defer block.Unlock()
	const maxFailures = 20
	ports := make([]int, 0, n)
	var failures []error
	for len(ports) < n {
		port, err := nextPort()
		if err == nil {
			err = probe(address, port)
		}
		if err == nil {
			ports = append(ports, port)
			continue
		}
		if failures = append(failures, err); len(failures) == maxFailures {
			return nil, fmt.Errorf("finding %d free ports on %s: %w", n, address, errors.Join(failures...))
		}
	}
	return ports, nil
}

// nextPort returns the next port of the block. If the block has no ports left, nextPort claims another block by claiming its first port.
// The caller must hold the lock.
func nextPort() (int, error) {
	for first := firstPort; block.next == block.end; first += blockSize {
		if first >= lastPort {
			return 0, fmt.Errorf("all ports from %d to %d are claimed", firstPort, lastPort)
		}
		if Claim(join("127.0.0.1", first)) == nil {
			block.next, block.end = first+1, first+blockSize
		}
	}
	block.next++
	return block.next - 1, nil
}

func probe(address string, port int) error {
	listener, err := net.Listen("tcp", join(address, port))
	if err != nil {
		return err
	}
	// A new child process inherits the open listener until it calls exec, and would keep the port in use. ForkLock prevents new children
	// until the listener is closed.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return listener.Close()
}

func join(address string, port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }
