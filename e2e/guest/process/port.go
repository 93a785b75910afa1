package process

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are taken from below the range that Linux uses for the near end of connections (net.ipv4.ip_local_port_range,
// 32768 and up by default), where a port that was free may be in use a moment later.
const (
	firstPort = 20000
	lastPort  = 32000
)

// handedOut are the ports that this process has given to somebody, who may not listen yet.
var handedOut struct {
	sync.Mutex
	ports map[int]bool
}

// FreePorts returns n different TCP ports that are free on the address at the time of the call, and that no other call in
// this process has returned.
func FreePorts(address string, n int) ([]int, error) {
	handedOut.Lock()
	defer handedOut.Unlock()
	if handedOut.ports == nil {
		handedOut.ports = map[int]bool{}
	}
	ports := make([]int, 0, n)
	var last error
	for attempts := 0; len(ports) < n; attempts++ {
		if attempts == lastPort-firstPort {
			return nil, fmt.Errorf("looking for %d free ports on %s: %w", n, address, last)
		}
		port := firstPort + rand.IntN(lastPort-firstPort)
		if handedOut.ports[port] {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
		if err != nil {
			last = err
			continue
		}
		if err := l.Close(); err != nil {
			return nil, fmt.Errorf("looking for a free port on %s: %w", address, err)
		}
		handedOut.ports[port] = true
		ports = append(ports, port)
	}
	return ports, nil
}

// FreeLoopback returns a loopback IP address on which the TCP port is free at the time of the call, for servers whose
// port is given.
func FreeLoopback(port int) (string, error) {
	const attempts = 20
	var last error
	for range attempts {
		address := fmt.Sprintf("127.%d.%d.%d", 100+rand.IntN(100), rand.IntN(250), 1+rand.IntN(250))
		l, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
		if err == nil {
			return address, l.Close()
		}
		last = err
	}
	return "", fmt.Errorf("looking for a loopback address with port %d free: %w", port, last)
}
