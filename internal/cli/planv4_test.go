package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/cli/display"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/provider"
)

// recordedV4 returns a plan with the changes of the VM that provider 2.4.2 has planned (e2e/prismsim/testdata).
func recordedV4(t *testing.T, file string, cause plan.Cause) infrav1.NutanixPlan {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "e2e", "prismsim", "testdata", "provider-2.4.2", file+".json"))
	require.NoError(t, err)
	var recorded struct {
		Plan []*tfjson.ResourceChange `json:"plan"`
	}
	decoder := json.NewDecoder(strings.NewReader(string(content)))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&recorded))
	planned := &tfjson.Plan{}
	for _, change := range recorded.Plan {
		if change.Address == "nutanix_virtual_machine_v2.vm" {
			change.Type, change.Name, change.Mode = "nutanix_virtual_machine_v2", "vm", tfjson.ManagedResourceMode
			planned.ResourceChanges = append(planned.ResourceChanges, change)
		}
	}
	require.Len(t, planned.ResourceChanges, 1)
	generation, err := provider.ForVersion("2.4.2")
	require.NoError(t, err)
	record := plan.Build(plan.Origin{
		Target:     infrav1.PlanTarget{Key: "key", Kind: "NutanixMachine", Namespace: namespace, Name: "prod-md-0-9d8v2", Generation: 1},
		Source:     infrav1.PlanOrigin{Owner: "MachineDeployment/prod-md-0", Cluster: "prod"},
		Generation: generation, Cause: cause, TerraformVersion: "1.11.4", ProviderVersion: "2.4.2",
	}, content, planned)
	return waiting(record.Spec(), "prod-md-0-9d8v2-5e5e5e-1c1c", "5e5e5e", time.Minute)
}

func TestPlansOfV4VMsAreShown(t *testing.T) {
	for file, cause := range map[string]plan.Cause{
		"create": plan.CauseCreate, "update-hot": plan.CauseUpdate, "update-cold": plan.CauseUpdate, "nic-and-category": plan.CauseUpdate,
		"disks": plan.CauseUpdate, "gpu": plan.CauseUpdate, "power-on": plan.CauseDrift, "destroy": plan.CauseDelete,
	} {
		t.Run(file, func(t *testing.T) {
			recorded := recordedV4(t, file, cause)
			program := newProgram(t, &recorded, machine("prod-md-0-9d8v2", "prod-a", true), owner("prod-md-0-9d8v2"), workloadCluster(t, 41))
			require.Equal(t, 1, program.run(t, "plan", "show", recorded.Name), program.err.String()) // it waits
			golden(t, "show-v4-"+file+".txt", program.out.String())
		})
	}
}

// The bootstrap data of a VM is hidden, also in a state that the manager has not stored.
func TestStatesOfV4VMsAreShown(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("testdata", "state-v4.json"))
	require.NoError(t, err)
	require.Contains(t, string(content), "c2VjcmV0")
	var shown bytes.Buffer
	require.NoError(t, display.State(&shown, display.Style{}, nil, content))
	golden(t, "state-v4.txt", shown.String())
	assert.NotContains(t, shown.String(), "c2VjcmV0")
}
