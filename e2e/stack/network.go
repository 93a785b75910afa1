package stack

import (
	"errors"
	"fmt"
	"strings"

	"github.com/capnt/capnt/internal/toolbox/freeport"
)

// sampleNetwork is the first half of every address in the sample inventory.
const sampleNetwork = "127.40."

// Network is a 16-bit wide part of the loopback range: 127.<second>.0.0/16.
type Network struct{ second int }

// FreeNetwork finds a network that no other process of this machine uses, and keeps it for this one until it ends.
func FreeNetwork() (Network, error) {
	for second := 41; second < 250; second++ {
		network := Network{second}
		if freeport.Claim(network.claim()) == nil {
			return network, nil
		}
	}
	return Network{}, errors.New("looking for a free part of the loopback range: other runs use all of it; stop them")
}

// Prism is the address of Prism Central. Its port is the provider's default, so that terraform can be pointed at it.
func (n Network) Prism() string { return n.address("0.2:9440") }

// Gateway is the address of the manager's gateway.
func (n Network) Gateway() string { return n.address("0.3:9440") }

// Endpoint is the control plane endpoint of the n-th cluster.
func (n Network) Endpoint(index int) string { return n.address(fmt.Sprintf("%d.250", 200+index)) }

// Move puts the sample inventory's addresses into the network.
func (n Network) Move(inventory string) string {
	return strings.ReplaceAll(inventory, sampleNetwork, fmt.Sprintf("127.%d.", n.second))
}

// claim is an address where nobody asks for anything: whoever listens there has the network.
func (n Network) claim() string { return n.address("0.1:9440") }

func (n Network) address(rest string) string { return fmt.Sprintf("127.%d.%s", n.second, rest) }
