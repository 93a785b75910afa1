package transport

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// silence returns a probe to which the server does not respond. It ends when the test ends.
func silence(t *testing.T) func(context.Context) error {
	done := t.Context().Done()
	return func(ctx context.Context) error {
		select {
		case <-ctx.Done():
		case <-done:
		}
		return context.DeadlineExceeded
	}
}

// beginCalls begins n calls and returns their contexts. The calls end when the test ends.
func beginCalls(t *testing.T, s *server, n int, probe func(context.Context) error) []context.Context {
	t.Helper()
	var calls []context.Context
	for range n {
		ctx, end, err := s.begin(t.Context(), probe)
		require.NoError(t, err)
		t.Cleanup(end)
		calls = append(calls, ctx)
	}
	return calls
}

func newServer() *server { return NewUpstreams(time.Now).server(Upstream{Address: "pc:9440"}) }

func TestCallsFailIfServerDoesNotRespond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		calls := beginCalls(t, s, 3, silence(t))
		<-time.After(minPatience - time.Millisecond)
		synctest.Wait()
		for _, call := range calls {
			require.NoError(t, call.Err())
		}
		<-time.After(time.Millisecond)
		synctest.Wait()
		require.NoError(t, calls[0].Err(), "the call that has waited longest may still be responded to")
		var notResponding *NotRespondingError
		for _, call := range calls[1:] {
			require.ErrorAs(t, context.Cause(call), &notResponding)
		}
		_, _, err := s.begin(t.Context(), silence(t))
		require.ErrorAs(t, err, &notResponding)
		assert.Equal(t, "pc:9440", notResponding.Address)
		_, _, err = (&Transport{server: s}).Begin(WithoutFailFast(t.Context()), silence(t))
		require.NoError(t, err)

		s.responded(5 * time.Second) // the response to the first call
		beginCalls(t, s, 1, silence(t))
		require.NoError(t, calls[0].Err())
	})
}

// A server that responds to a probe works, even if a call takes long.
func TestSlowCallDoesNotFailOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		var probes atomic.Int32
		probe := func(context.Context) error { probes.Add(1); return nil }
		calls := beginCalls(t, s, 2, probe)
		for range 60 {
			<-time.After(time.Second)
			calls = append(calls, beginCalls(t, s, 1, probe)...)
		}
		for _, call := range calls {
			assert.NoError(t, call.Err())
		}
		assert.LessOrEqual(t, probes.Load(), int32(30))
	})
}

// A server whose responses take longer than minPatience can still be used by several calls at a time.
func TestSlowServerGetsMoreTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.responded(6 * time.Second)
		calls := beginCalls(t, s, 2, silence(t))
		<-time.After(12*time.Second - time.Millisecond)
		synctest.Wait()
		require.NoError(t, calls[1].Err())
		<-time.After(time.Millisecond)
		synctest.Wait()
		require.Error(t, calls[1].Err())

		s.responded(time.Millisecond)
		calls = beginCalls(t, s, 2, silence(t))
		<-time.After(minPatience)
		synctest.Wait()
		require.Error(t, calls[1].Err(), "the last response was fast")
	})
}

// While the server does not respond, one probe at a time is sent, and no call waits for it.
func TestServerIsProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		var probes atomic.Int32
		var refused atomic.Bool
		probe := func(ctx context.Context) error {
			probes.Add(1)
			if refused.Load() {
				return errors.New("connection refused")
			}
			return silence(t)(ctx)
		}
		beginCalls(t, s, 1, probe)
		<-time.After(minPatience)
		synctest.Wait()
		began := time.Now()
		for range 10 {
			_, _, err := s.begin(t.Context(), probe)
			require.Error(t, err)
		}
		assert.Zero(t, time.Since(began))
		synctest.Wait()
		assert.Equal(t, int32(1), probes.Load())
		<-time.After(probeTimeout)
		synctest.Wait()
		refused.Store(true)
		_, _, err := s.begin(t.Context(), probe)
		require.Error(t, err)
		synctest.Wait()
		assert.Equal(t, int32(2), probes.Load())
		beginCalls(t, s, 1, probe) // it returns the error of its own request
	})
}
