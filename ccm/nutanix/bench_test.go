package nutanix_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkListVMs reads 500 virtual machines with one NIC and one disk, five pages, from a server in the same process; its
// work is counted too.
func BenchmarkListVMs(b *testing.B) {
	s := simulate(b, "v4.2")
	s.nodes(b, 500)
	for b.Loop() {
		all, err := s.client.ListVMs(b.Context(), filterNone)
		require.NoError(b, err)
		require.Len(b, all, 500)
	}
}
