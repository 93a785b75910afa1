package nutanix_test

import (
	"testing"

	"github.com/capnt/capnt/ccm/nutanix"
	"github.com/capnt/capnt/internal/prismv4/prismv4test"
)

const (
	testUser, testPassword, testKey = prismv4test.User, prismv4test.Password, prismv4test.Key

	vmUUID      = prismv4test.VM
	sessionUUID = "22222222-2222-4222-8222-222222222222"
	floatUUID   = "33333333-3333-4333-8333-333333333333"
	routeUUID   = "44444444-4444-4444-8444-444444444444"
	tableUUID   = "55555555-5555-4555-8555-555555555555"
	subnetUUID  = "66666666-6666-4666-8666-666666666666"
	vpcUUID     = "77777777-7777-4777-8777-777777777777"
	nicUUID     = "88888888-8888-4888-8888-888888888888"
	taskUUID    = prismv4test.Task

	vmsPath     = "GET vmm/ahv/config/vms"
	vmPath      = "GET vmm/ahv/config/vms/" + vmUUID
	aVM         = `{"data":{"extId":"` + vmUUID + `","name":"node-1"}}`
	sessionPath = "networking/config/load-balancer-sessions"
)

// Short names for the responses of the server.
var (
	answer, page, lost, cut, accepted            = prismv4test.Answer, prismv4test.Page, prismv4test.Lost, prismv4test.Cut, prismv4test.Accepted
	items, refusal, taskState, affected, failing = prismv4test.Items, prismv4test.Refusal, prismv4test.TaskState, prismv4test.Affected, prismv4test.Failing
)

var filterNone nutanix.VMFilter

type central struct{ *prismv4test.Server }

func newCentral(t *testing.T) *central { return &central{prismv4test.New(t)} }

// client returns a client for the server. change may be nil.
func (c *central) client(t *testing.T, change func(*nutanix.Endpoint, *nutanix.Limits)) *nutanix.Client {
	return nutanix.New(c.Options(t, change))
}
