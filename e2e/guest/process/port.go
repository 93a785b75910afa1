package process

import (
	"fmt"
	"net"
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
