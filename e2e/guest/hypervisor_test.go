package guest_test

import (
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/guest"
	"github.com/capnt/capnt/e2e/prismsim"
)

func TestGuestReportsBootFailure(t *testing.T) {
	h := guest.New(guest.Options{Dir: t.TempDir(), Log: testr.New(t)})
	h.PowerOn(prismsim.VM{UUID: "11111111-1111-4111-8111-111111111111", Name: "empty"})
	require.Eventually(t, func() bool { return h.States()[0].Failure != "" }, time.Minute, 10*time.Millisecond)
	state := h.States()[0]
	require.Equal(t, "the virtual machine has no user-data", state.Failure)
	require.True(t, state.On)
	require.FileExists(t, state.Log)

	h.PowerOff(state.UUID)
	require.False(t, h.States()[0].On)
	require.NoError(t, h.Close())
	require.NoFileExists(t, state.Log)
	h.PowerOn(prismsim.VM{UUID: state.UUID, Name: "late"})
	require.False(t, h.States()[0].On, "a closed hypervisor boots nothing")
}
