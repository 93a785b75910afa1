package stack

import (
	"errors"
	"fmt"
	"strings"

	"github.com/capnt/capnt/internal/toolbox/freeport"
)

// sampleNetwork is the prefix of all addresses in the sample inventory, and sampleSecond its second byte.
const (
	sampleNetwork = "127.40."
	sampleSecond  = 40
)

// Network is a /16 network in the loopback range: 127.<second>.0.0/16.
type Network struct{ second int }

// SampleNetwork is the network of the sample inventory. FreeNetwork does not return it.
func SampleNetwork() Network { return Network{sampleSecond} }

// FreeNetwork reserves a network that no other process of this machine uses, until this process exits.
func FreeNetwork() (Network, error) {
	for second := sampleSecond + 1; second < 250; second++ {
		network := Network{second}
		if freeport.Claim(network.claim()) == nil {
			return network, nil
		}
	}
	return Network{}, errors.New("looking for a free part of the loopback range: other runs use all of it; stop them")
}

// Prism returns the address of Prism Central. Its port is the provider's default port, because provider 1.9.5 ignores
// NUTANIX_PORT.
func (n Network) Prism() string { return n.address("0.2:9440") }

// Gateway returns the address of the manager's gateway.
func (n Network) Gateway() string { return n.address("0.3:9440") }

// Endpoint returns the control plane endpoint of the n-th cluster.
func (n Network) Endpoint(index int) string { return n.address(fmt.Sprintf("%d.250", 200+index)) }

// Move replaces the addresses of the sample inventory by addresses of the network.
func (n Network) Move(inventory string) string {
	return strings.ReplaceAll(inventory, sampleNetwork, fmt.Sprintf("127.%d.", n.second))
}

// claim returns an address on which the process that reserved the network listens.
func (n Network) claim() string { return n.address("0.1:9440") }

func (n Network) address(rest string) string { return fmt.Sprintf("127.%d.%s", n.second, rest) }
