package prismsim_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"

	"github.com/capnt/capnt/e2e/prismsim"
)

// createInBackground sends a create request in the background. The test can cancel the request with abandon. The
// channel failed receives the error of the client.
func createInBackground(t *testing.T, s *prismsim.Server) (abandon context.CancelFunc, failed <-chan error) {
	t.Helper()
	client, body := connect(t, s, nil), intent(t, s, "vm-1")
	ctx, cancel := context.WithCancel(t.Context())
	out := make(chan error, 1)
	go func() {
		_, err := client.CreateVM(ctx, body)
		out <- err
	}()
	return cancel, out
}

// waitForHit waits until the first fault has matched a request.
func waitForHit(t *testing.T, s *prismsim.Server) {
	t.Helper()
	require.Eventually(t, func() bool { return s.Faults().List()[0].Hits > 0 }, waitFor, tick)
}

func TestHeldCreateIsProcessed_AfterClientDisconnects(t *testing.T) {
	const hold = 200 * time.Millisecond
	s := start(t, nil)
	setFault(t, s, prismsim.Fault{Method: http.MethodPost, Path: "/vms$", Hold: hold, Times: 1})
	began := time.Now()
	abandon, failed := createInBackground(t, s)
	waitForHit(t, s)
	abandon()
	require.ErrorIs(t, <-failed, context.Canceled)
	require.Eventually(t, func() bool { return len(s.VMs()) == 1 }, waitFor, tick)
	assert.GreaterOrEqual(t, s.Tasks()[0].Created.Sub(began), hold)
	assert.Equal(t, "vm-1", s.VMs()[0].Name)
}

func TestClearedFaultReleasesHeldCreate(t *testing.T) {
	s := start(t, nil)
	setFault(t, s, prismsim.Fault{Method: http.MethodPost, Path: "/vms$", Hold: hour, Times: 1})
	_, failed := createInBackground(t, s)
	waitForHit(t, s)
	s.Faults().Clear(s.Faults().List()[0].ID)
	require.NoError(t, <-failed)
	require.Eventually(t, func() bool { return len(s.VMs()) == 1 }, waitFor, tick)
}

func TestHeldCreateReturnsResponse_ToWaitingClient(t *testing.T) {
	s := start(t, nil)
	setFault(t, s, prismsim.Fault{Method: http.MethodPost, Path: "/vms$", Hold: time.Millisecond, Times: 1})
	create(t, connect(t, s, nil), intent(t, s, "vm-1"))

	s.Faults().Clear()
	setFault(t, s, prismsim.Fault{Method: http.MethodPost, Path: "/vms$", Hold: hour})
	_, failed := createInBackground(t, s)
	waitForHit(t, s)
	s.Close()
	assert.Error(t, <-failed, "closing ends a hold without the work")
	assert.Len(t, s.VMs(), 1)
}

func TestDelayReplyDelaysOnlyTheResponse(t *testing.T) {
	s := start(t, nil)
	setFault(t, s, prismsim.Fault{Method: http.MethodPost, Path: "/vms$", DelayReply: hour})
	abandon, failed := createInBackground(t, s)
	require.Eventually(t, func() bool { return len(s.VMs()) == 1 }, waitFor, tick)
	select {
	case err := <-failed:
		require.Fail(t, "the client must wait", "%v", err)
	default:
	}
	abandon()
	require.ErrorIs(t, <-failed, context.Canceled)
	assert.Len(t, s.VMs(), 1)

	s.Faults().Clear()
	setFault(t, s, prismsim.Fault{Method: http.MethodPost, Path: "/vms$", DelayReply: time.Millisecond})
	create(t, connect(t, s, nil), intent(t, s, "vm-2"))
}

func TestV3ListIsTruncated(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	for _, name := range []string{"a", "b", "c"} {
		create(t, client, intent(t, s, name))
	}
	setFault(t, s, prismsim.Fault{Path: "/vms/list$", Half: true, Times: 1})
	for _, want := range []int{2, 3} {
		list, err := client.ListVM(t.Context(), &v3.DSMetadata{})
		require.NoError(t, err)
		assert.Len(t, list.Entities, want)
		assert.EqualValues(t, 3, *list.Metadata.TotalMatches)
	}
}
