// Package freeport finds ports for servers that tests start. No two servers get the same port.
package freeport

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// Ports are below the range of ephemeral ports (net.ipv4.ip_local_port_range, by default 32768 and up), where a free port may soon
// be in use. Each process claims blocks of ports, because other processes choose ports between the choice of a port and the start
// of its server.
const (
	firstPort = 20000
	lastPort  = 32000
	blockSize = 50
)

var (
	claims struct {
		sync.Mutex
		// listeners hold the claims. The system closes them when the process ends.
		listeners []net.Listener
	}
	// block is the unused part of the block that this process claimed last.
	block struct {
		sync.Mutex
		next, end int
	}
)

// Claim reserves host:port for this process until it ends. A claim can stand for any resource that processes agree on. It returns
// an error if another process has claimed host:port.
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

// Find returns n TCP ports that are free on the IP address. While this process runs, no other call of Find on this machine returns
// them, in any process.
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

// nextPort returns the next port of the block. When the block is used up, it claims another block by its first port. The caller
// holds the lock.
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
	// A child process inherits the listener until it calls exec. Without new children, closing the listener frees the port.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return listener.Close()
}

func join(address string, port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }
