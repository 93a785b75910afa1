package config_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/ccm/config"
)

func TestAddressRanges(t *testing.T) {
	for text, tc := range map[string]struct{ in, out []string }{
		"10.0.0.1":            {[]string{"10.0.0.1", "::ffff:10.0.0.1"}, []string{"10.0.0.0", "10.0.0.2", "::1"}},
		" 10.0.0.9-10.0.0.11": {[]string{"10.0.0.9", "10.0.0.10", "10.0.0.11"}, []string{"10.0.0.8", "10.0.0.12"}},
		"10.0.0.7/30":         {[]string{"10.0.0.4", "10.0.0.7"}, []string{"10.0.0.3", "10.0.0.8"}},
		"0.0.0.0/0":           {[]string{"0.0.0.0", "255.255.255.255"}, []string{"::"}},
		"fd00::/64":           {[]string{"fd00::", "fd00::ffff:ffff:ffff:ffff"}, []string{"fd00:0:0:1::", "10.0.0.1"}},
		"fe80::1 - fe80::2":   {[]string{"fe80::1%eth0", "fe80::2"}, []string{"fe80::3"}},
		"::ffff:10.0.0.0/126": {[]string{"10.0.0.0", "10.0.0.3"}, []string{"10.0.0.4"}},
	} {
		t.Run(text, func(t *testing.T) {
			r, err := config.ParseAddressRange(text)
			require.NoError(t, err)
			for _, address := range tc.in {
				assert.True(t, r.Contains(netip.MustParseAddr(address)), address)
			}
			for _, address := range tc.out {
				assert.False(t, r.Contains(netip.MustParseAddr(address)), address)
			}
		})
	}
}
