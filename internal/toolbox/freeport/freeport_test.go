package freeport

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	host = "127.0.0.1"
	// findPorts is an environment variable for the test binary. If it is set to a number, the test binary prints that many ports and waits
	// until stdin is closed.
	findPorts = "FIND_PORTS"
)

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(findPorts)); err == nil {
		ports, err := Find(host, n)
		for _, port := range ports {
			fmt.Fprintln(os.Stdout, port)
		}
		fmt.Fprintln(os.Stdout, err)
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	os.Exit(m.Run())
}

// TestFindReturnsNoPortTwice calls Find concurrently. No server listens on the returned ports, so only Find itself prevents duplicates.
func TestFindReturnsNoPortTwice(t *testing.T) {
	const callers, each = 20, 5
	found := &portSet{t: t, ports: map[int]bool{}}
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			ports, err := Find(host, each)
			assert.NoError(t, err)
			found.add(ports)
		})
	}
	wg.Wait()
	require.Len(t, found.ports, callers*each)
}

// TestFindReturnsNoPortToTwoProcesses calls Find in several processes, because the test processes of several packages run in parallel.
func TestFindReturnsNoPortToTwoProcesses(t *testing.T) {
	const processes, each = 4, blockSize + 1 // more than one block
	found := &portSet{t: t, ports: map[int]bool{}}
	for range processes {
		found.add(portsOfAnotherProcess(t, each))
	}
	require.Len(t, found.ports, processes*each)
}

func TestFindReturnsNoPortInUse(t *testing.T) {
	first, err := Find(host, 1)
	require.NoError(t, err)
	if first[0]%blockSize == blockSize-1 { // the next port is in another block
		first, err = Find(host, 1)
		require.NoError(t, err)
	}
	require.NoError(t, Claim(join(host, first[0]+1)))
	second, err := Find(host, 1)
	require.NoError(t, err)
	assert.NotEqual(t, first[0]+1, second[0])
}

func TestFindReturnsErrors(t *testing.T) {
	_, err := Find("192.0.2.1", 1)
	assert.ErrorContains(t, err, "finding 1 free ports on 192.0.2.1: listen tcp 192.0.2.1:")
}

func TestClaimOfClaimedAddressFails(t *testing.T) {
	ports, err := Find(host, 1)
	require.NoError(t, err)
	require.NoError(t, Claim(join(host, ports[0])))
	assert.ErrorContains(t, Claim(join(host, ports[0])), fmt.Sprintf("claiming 127.0.0.1:%d: ", ports[0]))
}

type portSet struct {
	t     *testing.T
	mu    sync.Mutex
	ports map[int]bool
}

func (s *portSet) add(ports []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, port := range ports {
		assert.False(s.t, s.ports[port], "port %d was returned twice", port)
		s.ports[port] = true
	}
}

// portsOfAnotherProcess returns n ports that another process has found. The process runs until the end of the test.
func portsOfAnotherProcess(t *testing.T, n int) []int {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	process := exec.Command(binary)
	process.Env = append(os.Environ(), findPorts+"="+strconv.Itoa(n))
	_, err = process.StdinPipe() // keeps stdin of the other process open while this process runs
	require.NoError(t, err)
	output, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	t.Cleanup(func() { assert.NoError(t, process.Process.Kill()); _ = process.Wait() })
	lines := bufio.NewScanner(output)
	var ports []int
	for range n {
		require.True(t, lines.Scan())
		port, err := strconv.Atoi(lines.Text())
		require.NoError(t, err)
		ports = append(ports, port)
	}
	return ports
}
