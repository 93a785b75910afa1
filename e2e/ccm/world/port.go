package world

import (
	"sync"

	"github.com/capnt/capnt/e2e/guest/process"
)

// given are the ports that were handed out in this process: a port is free until who got it listens.
var given = struct {
	mu    sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// freePorts gives n free ports that nobody else in this process was given.
func freePorts(n int) ([]int, error) {
	given.mu.Lock()
	defer given.mu.Unlock()
	var out []int
	for len(out) < n {
		found, err := process.FreePorts(host, n-len(out))
		if err != nil {
			return nil, err
		}
		for _, port := range found {
			if !given.ports[port] {
				given.ports[port] = true
				out = append(out, port)
			}
		}
	}
	return out, nil
}
