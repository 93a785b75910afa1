package process

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// FreePorts returns n different TCP ports that are free on the address at the time of the call.
func FreePorts(address string, n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			return nil, fmt.Errorf("looking for a free port on %s: %w", address, err)
		}
		// Closed only when all are known, so that no port is handed out twice.
		defer func() { _ = l.Close() }()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
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
