package guest

import (
	"bufio"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/toolbox/freeport"
)

func TestVIPForwardsToBackendsAndClosesRemovedOnes(t *testing.T) {
	ports, err := freeport.Find("127.0.0.1", 1)
	require.NoError(t, err)
	endpoint := fmt.Sprintf("127.0.0.1:%d", ports[0])
	v, err := newVIP(t.Context(), endpoint)
	require.NoError(t, err)
	for _, name := range []string{"a", "b"} {
		v.add(name, greeter(t, name))
	}
	held := map[string]net.Conn{}
	for range 2 {
		name, connection := dial(t, endpoint)
		held[name] = connection
	}
	require.Len(t, held, 2, "connections go to the backends in turn")

	v.remove("a")
	require.NoError(t, held["a"].SetReadDeadline(time.Now().Add(time.Minute)))
	_, err = held["a"].Read(make([]byte, 1))
	require.Error(t, err, "the connections of a backend that leaves are cut")
	timeout, ok := err.(net.Error) //nolint:errorlint // What Read returns.
	require.False(t, ok && timeout.Timeout(), "the read ended by itself")
	for range 3 {
		name, _ := dial(t, endpoint)
		require.Equal(t, "b", name)
	}
	v.close()
	_, err = net.Dial("tcp", endpoint)
	require.Error(t, err)
}

// greeter starts a server that sends its name to every connection and keeps the connection open.
func greeter(t *testing.T, name string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprintln(connection, name)
			t.Cleanup(func() { _ = connection.Close() })
		}
	}()
	return listener.Addr().String()
}

func dial(t *testing.T, endpoint string) (string, net.Conn) {
	connection, err := net.Dial("tcp", endpoint)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	require.NoError(t, connection.SetReadDeadline(time.Now().Add(time.Minute)))
	line, err := bufio.NewReader(connection).ReadString('\n')
	require.NoError(t, err)
	return line[:len(line)-1], connection
}
