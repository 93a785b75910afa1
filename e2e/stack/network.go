package stack

import (
	"errors"
	"fmt"
	"strings"

	"github.com/capnt/capnt/internal/toolbox/freeport"
)

// sampleNetwork is the common prefix of all addresses in the sample inventory. sampleSecond is the second byte of the
// prefix.
const (
	sampleNetwork = "127.40."
	sampleSecond  = 40
)

// Network is a /16 network in the loopback range: 127.<second>.0.0/16.
type Network struct{ second int }

// SampleNetwork returns the network of the sample inventory. FreeNetwork never returns this network.
func SampleNetwork() Network { return Network{sampleSecond} }

// FreeNetwork reserves a network that no other process on this machine uses. The network stays reserved until this
// process exits.
func FreeNetwork() (Network, error) {
	for second := sampleSecond + 1; second < 250; second++ {
		network := Network{second}
		if freeport.Claim(network.claim()) == nil {
			return network, nil
		}
	}
	return Network{}, errors.New("looking for a free part of the loopback range: other runs use all of it; stop them")
}

// Prism returns the address of Prism Central. The port is the default port of the provider, because provider 1.9.5
// ignores NUTANIX_PORT.
func (n Network) Prism() string { return n.address("0.2:9440") }

// Gateway returns the address of the manager's gateway.
func (n Network) Gateway() string { return n.address("0.3:9440") }

// SecondGateway returns the address of the gateway of a second manager.
func (n Network) SecondGateway() string { return n.address("0.4:9440") }

// Endpoint returns the control plane endpoint of the n-th cluster.
func (n Network) Endpoint(index int) string { return n.address(fmt.Sprintf("%d.250", 200+index)) }

// Move replaces the addresses in the sample inventory with addresses of the network n.
func (n Network) Move(inventory string) string {
	return strings.ReplaceAll(inventory, sampleNetwork, fmt.Sprintf("127.%d.", n.second))
}

// claim returns the address on which a process listens to reserve the network.
func (n Network) claim() string { return n.address("0.1:9440") }

func (n Network) address(rest string) string { return fmt.Sprintf("127.%d.%s", n.second, rest) }
