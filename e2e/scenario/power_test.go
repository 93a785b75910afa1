package scenario

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
)

// switchedOff contains the UUIDs of the VMs that the scenarios, and not the manager, switched off.
var switchedOff sync.Map

// powerOff switches a VM off as a user of Prism does.
func powerOff(t *testing.T, uuid string) {
	t.Helper()
	switchedOff.Store(uuid, true)
	require.NoError(t, testStack.Prism.PowerOff(uuid))
	logf(t, "switched off VM %s", uuid)
}

// checkNoPowerOff returns an error if the manager has sent a request that switches a VM off. A PUT request with the
// power state OFF is allowed if a scenario has switched off the VM, because the request does not change the power
// state.
func checkNoPowerOff() error { return checkNoPowerOffIn(testStack.Prism.Requests()) }

func checkNoPowerOffIn(requests []prismsim.Request) error {
	for _, request := range requests {
		if strings.HasSuffix(request.Path, "/$actions/power-off") || strings.HasSuffix(request.Path, "/$actions/shutdown") {
			return fmt.Errorf("the manager switched off a VM: %s %s", request.Method, request.Path)
		}
		if request.Method != "PUT" || !strings.Contains(request.Path, "/v3/vms/") {
			continue
		}
		var body struct {
			Spec struct {
				Resources struct {
					PowerState string `json:"power_state"`
				} `json:"resources"`
			} `json:"spec"`
		}
		if err := json.Unmarshal(request.Body, &body); err != nil {
			return fmt.Errorf("reading the body of %s %s: %w", request.Method, request.Path, err)
		}
		if _, ours := switchedOff.Load(path.Base(request.Path)); body.Spec.Resources.PowerState == "OFF" && !ours {
			return fmt.Errorf("the manager switched off a VM: %s %s %s", request.Method, request.Path, request.Body)
		}
	}
	return nil
}
