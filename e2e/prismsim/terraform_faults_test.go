package prismsim_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
)

const smallMachine = `
resource "nutanix_virtual_machine" "vm" {
  name         = "vm-1"
  description  = "first"
  cluster_uuid = "%CLUSTER%"
  nic_list { subnet_uuid = "%SUBNET%" }
}
`

// startSmall returns a Terraform workspace with one small machine.
func startSmall(t *testing.T) (*terraform, *prismsim.Server) {
	t.Helper()
	tf, s := newTerraform(t, "")
	tf.write("main.tf", smallConfig(t, s))
	return tf, s
}

func (tf *terraform) fails(text string) {
	tf.t.Helper()
	output, code := tf.run("apply", "-auto-approve", "-input=false")
	require.NotZero(tf.t, code, output)
	assert.Contains(tf.t, output, text)
}

// Faults have the same effects on the unmodified provider as faults of a real Prism Central: the provider reports the
// same errors and leaves the same resources behind.
func TestTerraformReportsFaults(t *testing.T) {
	t.Parallel()
	tf, s := startSmall(t)
	vms := prismsim.Fault{Method: http.MethodPost, Path: "/vms$", Times: 1}

	for _, step := range []struct {
		change func(*prismsim.Fault)
		want   string
		left   int
	}{
		{func(f *prismsim.Fault) { f.Status = http.StatusServiceUnavailable }, "SERVICE_UNAVAILABLE", 0},
		{func(f *prismsim.Fault) { f.Status = http.StatusTooManyRequests }, "RATE_LIMIT_EXCEEDED", 0},
		{func(f *prismsim.Fault) { f.Drop = true }, "EOF", 0},
		{func(f *prismsim.Fault) { f.DropReply = true }, "EOF", 1},
		{func(f *prismsim.Fault) { f.TaskError = "INTERNAL_ERROR: no luck" }, "error_detail: INTERNAL_ERROR: no luck", 0},
		{func(f *prismsim.Fault) { f.TaskError, f.AfterWork = "INTERNAL_ERROR: late", true }, "error_detail: INTERNAL_ERROR: late", 1},
	} {
		fault := vms
		step.change(&fault)
		setFault(t, s, fault)
		tf.fails(step.want)
		require.Eventually(t, func() bool { return len(s.VMs()) == step.left }, waitFor, tick, "%+v", fault)
		assert.Empty(t, tf.must("state", "list"), "the provider forgets a VM whose creation failed")
		for _, vm := range s.VMs() {
			require.NoError(t, s.DeleteVM(vm.UUID))
		}
	}

	s.SetPassword("changed")
	tf.fails("invalid auth Credentials")
	s.SetPassword(testPassword)
	tf.apply()

	// The provider recognises the not-found response for a VM that was deleted outside Terraform, and plans a new VM.
	require.NoError(t, s.DeleteVM(s.VMs()[0].UUID))
	output := tf.must("plan", "-input=false")
	assert.Contains(t, output, "1 to add, 0 to change, 0 to destroy")
}

func smallConfig(t *testing.T, s *prismsim.Server) string {
	t.Helper()
	return strings.NewReplacer(
		"%CLUSTER%", named(t, s, "cluster", "nutanix-cluster-1"), "%SUBNET%", named(t, s, "subnet", "vm-network"),
	).Replace(smallMachine)
}
