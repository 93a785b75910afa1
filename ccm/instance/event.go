package instance

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

// Reasons of events of a Node.
const (
	// ReasonAmbiguous: several virtual machines could be the node's.
	ReasonAmbiguous = "AmbiguousVirtualMachine"
	// ReasonImpostor: a virtual machine has the node's name and another identity.
	ReasonImpostor = "VirtualMachineOfSameName"
	// ReasonNoIdentity: nothing on the node says which virtual machine it is.
	ReasonNoIdentity = "NoVirtualMachineIdentity"
	// ReasonNotConfirmed: the virtual machine is missing, but not for certain.
	ReasonNotConfirmed = "MissingVirtualMachineNotConfirmed"
	// ReasonTopology: zone or region cannot be told.
	ReasonTopology = "TopologyUnknown"
	// ReasonNoAddress: the virtual machine has no address that can be one of the node.
	ReasonNoAddress = "NoNodeAddress"
	// ReasonNodeIP: the kubelet's --node-ip is not an address of the virtual machine.
	ReasonNodeIP = "NodeIPNotFound"
	// ReasonLabels and ReasonLabelsFailed: labels were changed after the virtual machine had moved, or could not be.
	ReasonLabels       = "LabelsUpdated"
	ReasonLabelsFailed = "LabelsNotUpdated"
)

// Problem is an error that lasts until a person does something. It becomes an Event of the Node.
type Problem struct {
	Reason string
	// Message says what is wrong, and what to do.
	Message string
}

func (p *Problem) Error() string { return p.Message }

// repeatAfter is when something that was told is told again: the API server forgets events after an hour.
const repeatAfter = 30 * time.Minute

// message is what was told about a node.
type message struct {
	node         types.UID
	reason, text string
}

// told remembers what was told, so that what is found every few seconds is not told every few seconds.
type told struct {
	clock clock.PassiveClock
	mutex sync.Mutex
	at    map[message]time.Time
}

func (t *told) isNews(m message) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for old, at := range t.at {
		if t.clock.Since(at) >= repeatAfter {
			delete(t.at, old)
		}
	}
	if _, known := t.at[m]; known {
		return false
	}
	t.at[m] = t.clock.Now()
	return true
}
