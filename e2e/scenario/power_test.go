package scenario

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// switchedOff holds the UUIDs of the VMs that scenarios switched off themselves.
var switchedOff sync.Map

// powerOff switches a VM off, as somebody does in Prism.
func powerOff(t *testing.T, uuid string) {
	t.Helper()
	switchedOff.Store(uuid, true)
	require.NoError(t, world.Prism.PowerOff(uuid))
	say(t, "virtual machine %s was switched off", uuid)
}

// nothingSwitchedOff proves by the requests that came to Prism Central that no applied plan switched a VM off. A request that
// leaves a VM off which a scenario had switched off itself does not count.
func nothingSwitchedOff() error {
	for _, request := range world.Prism.Requests() {
		if strings.HasSuffix(request.Path, "/$actions/power-off") || strings.HasSuffix(request.Path, "/$actions/shutdown") {
			return fmt.Errorf("a VM was switched off: %s %s", request.Method, request.Path)
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
			return fmt.Errorf("a VM was switched off: %s %s %s", request.Method, request.Path, request.Body)
		}
	}
	return nil
}
