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
	// asTaker makes this test binary a process that takes as many ports as it says, and ends with its standard input.
	asTaker = "TAKE_PORTS"
)

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(asTaker)); err == nil {
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

// Whoever starts several servers at once must not be given a port twice: between the call and the server nobody holds it.
func TestFindGivesNoPortTwice(t *testing.T) {
	const takers, each = 20, 5
	given := &given{t: t, ports: map[int]bool{}}
	var wg sync.WaitGroup
	for range takers {
		wg.Go(func() {
			ports, err := Find(host, each)
			assert.NoError(t, err)
			given.add(ports)
		})
	}
	wg.Wait()
	require.Len(t, given.ports, takers*each)
}

// Packages are tested by processes that run at the same time.
func TestFindGivesNoPortToTwoProcesses(t *testing.T) {
	const takers, each = 4, blockSize + 1 // more than one block
	given := &given{t: t, ports: map[int]bool{}}
	for range takers {
		given.add(portsOfAnotherProcess(t, each))
	}
	require.Len(t, given.ports, takers*each)
}

func TestWhatIsFoundIsWhereNobodyListens(t *testing.T) {
	first, err := Find(host, 1)
	require.NoError(t, err)
	if first[0]%blockSize == blockSize-1 { // the next is of another block
		first, err = Find(host, 1)
		require.NoError(t, err)
	}
	require.NoError(t, Claim(join(host, first[0]+1)))
	second, err := Find(host, 1)
	require.NoError(t, err)
	assert.NotEqual(t, first[0]+1, second[0])
}

func TestFindSaysWhyThereIsNone(t *testing.T) {
	_, err := Find("192.0.2.1", 1)
	assert.ErrorContains(t, err, "looking for 1 free ports on 192.0.2.1: listen tcp 192.0.2.1:")
}

func TestAClaimIsHeldOnce(t *testing.T) {
	ports, err := Find(host, 1)
	require.NoError(t, err)
	require.NoError(t, Claim(join(host, ports[0])))
	assert.ErrorContains(t, Claim(join(host, ports[0])), fmt.Sprintf("claiming 127.0.0.1:%d: ", ports[0]))
}

type given struct {
	t     *testing.T
	mu    sync.Mutex
	ports map[int]bool
}

func (g *given) add(ports []int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, port := range ports {
		assert.False(g.t, g.ports[port], "port %d was given twice", port)
		g.ports[port] = true
	}
}

// portsOfAnotherProcess are ports of a process that ends with the test.
func portsOfAnotherProcess(t *testing.T, n int) []int {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	taker := exec.Command(binary)
	taker.Env = append(os.Environ(), asTaker+"="+strconv.Itoa(n))
	_, err = taker.StdinPipe() // open for as long as this process is there
	require.NoError(t, err)
	output, err := taker.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, taker.Start())
	t.Cleanup(func() { assert.NoError(t, taker.Process.Kill()); _ = taker.Wait() })
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
