package lifecycle

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

const partAddress = "module.cluster.nutanix_category_v2.control_plane[0]"

// withPart adds a part to the target of a fixture. existing returns the ID of the part in Prism Central.
func withPart(t *testing.T, wanted bool, existing func() (string, error)) *fixture {
	t.Helper()
	f := newFixture(t)
	f.target.Parts = []Part{{Address: partAddress, Wanted: wanted, Find: func(_ context.Context, known string) (string, error) {
		f.log("    find part %q", known)
		return existing()
	}}}
	return f
}

func TestExistingPartIsImported(t *testing.T) {
	exists := func() (string, error) { return "part-1", nil }
	f := withPart(t, true, exists)
	require.Equal(t, InSync, f.settle().State)
	assert.Contains(t, f.String(), "write import-parts.tf: import {\n  to = "+partAddress+"\n  id = \"part-1\"\n}")

	f = withPart(t, false, exists)
	require.Equal(t, InSync, f.settle().State)
	assert.NotContains(t, f.String(), "import-parts.tf", "the workspace does not contain the part")

	f = withPart(t, true, func() (string, error) { return "PART-1", nil })
	f.addResource(partAddress, "part-1", false)
	f.settle()
	assert.NotContains(t, f.String(), "import-parts.tf", "the state contains the part")
	assert.NotContains(t, f.String(), "state rm")
}

func TestAbsentPartIsRemovedFromTheState(t *testing.T) {
	for _, wanted := range []bool{true, false} {
		f := withPart(t, wanted, func() (string, error) { return "", nil })
		f.addResource(machineAddress, "vm-1", false)
		f.addResource(partAddress, "part-1", false)
		require.Equal(t, InSync, f.settle().State)
		assert.Contains(t, f.String(), "state rm "+partAddress)
		assert.Equal(t, infrav1.PlanCauseForget, f.recordedPlans()[0].Spec.Cause)
	}
}

func TestTaintOfExistingPartIsRemoved(t *testing.T) {
	f := withPart(t, true, func() (string, error) { return "part-1", nil })
	f.addResource(machineAddress, "vm-1", false)
	f.addResource(partAddress, "part-1", true)
	require.Equal(t, InSync, f.settle().State)
	assert.Contains(t, f.String(), "untaint "+partAddress)
}

func TestPartThatCannotBeFoundFailsTheRun(t *testing.T) {
	f := withPart(t, true, func() (string, error) { return "", errors.New("Prism Central does not respond") })
	result := f.settle()
	require.Equal(t, Failed, result.State)
	assert.ErrorContains(t, result.Err, "finding "+partAddress+": Prism Central does not respond")
}

func TestUnknownPartIsDestroyed(t *testing.T) {
	f := withPart(t, true, func() (string, error) { return "part-1", nil })
	f.identify = func(string) (string, error) { return "", &AbsentError{ID: "vm-1"} }
	f.delete()
	require.Equal(t, InSync, f.settle().State)
	assert.Contains(t, f.String(), "import "+partAddress+" part-1")
	assert.Contains(t, f.String(), "apply plan file 1")
}
