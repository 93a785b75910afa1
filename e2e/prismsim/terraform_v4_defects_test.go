package prismsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/toolbox"
)

// defectStep is one Terraform command of a recorded defect of the provider.
type defectStep struct {
	before  func(t *testing.T, s *prismsim.Server) // a fault or a change from outside
	memory  int                                    // memory of the VM in GiB, default 4
	config  string                                 // blocks of the VM, and further resources after it
	command []string
}

var (
	applyStep   = []string{"apply", "-auto-approve", "-input=false", "-parallelism=1"}
	destroyStep = []string{"destroy", "-auto-approve", "-input=false", "-parallelism=1"}
	planStep    = []string{"plan", "-input=false", "-parallelism=1"}
)

// customized is a VM with cloud-init data. The closing brace of the VM follows the blocks.
const customized = `
  guest_customization {
    config {
      cloud_init {
        datasource_type = "CONFIG_DRIVE_V2"
        cloud_init_script {
          user_data { value = base64encode("#cloud-config") }
        }
      }
    }
  }
`

// existingCategory is a VM and a category that exists already.
const existingCategory = `
}

resource "nutanix_category_v2" "testing" {
  key        = "Environment"
  value      = "Testing"
  depends_on = [nutanix_virtual_machine_v2.vm] # so that the order of the requests is always the same
`

// attach attaches a volume group to the VM, as a CSI driver does.
func attach(t *testing.T, s *prismsim.Server) {
	group, err := s.AddVolumeGroup(prismsim.VolumeGroup{Name: "pvc-1", PrismElement: "nutanix-cluster-1"})
	require.NoError(t, err)
	require.NoError(t, s.AttachVolumeGroup(group, s.VMs()[0].UUID))
}

// failing returns a step before which a fault starts.
func failing(fault prismsim.Fault) func(*testing.T, *prismsim.Server) {
	return func(t *testing.T, s *prismsim.Server) { setFault(t, s, fault) }
}

func vanish(t *testing.T, s *prismsim.Server) { require.NoError(t, s.DeleteVM(s.VMs()[0].UUID)) }

// defects are the known defects of provider 2.4.2. The recorded steps are what the provider does, not what it should do.
var defects = map[string][]defectStep{
	"absent-vm": {
		{command: applyStep}, {before: vanish, command: planStep}, {command: applyStep}, {command: destroyStep},
		{command: append(slices.Clone(destroyStep), "-refresh=false")},
	},
	"power-on-fails-on-create": {
		{before: failing(prismsim.Fault{Path: "power-on$", TaskError: "no host"}), command: applyStep}, {command: planStep},
	},
	"power-on-fails-after-update": {
		{command: applyStep},
		{before: failing(prismsim.Fault{Path: "power-on$", TaskError: "no host"}), memory: 2, command: applyStep},
		{memory: 2, command: planStep},
	},
	"power-off-fails-before-update": {
		{command: applyStep},
		{before: failing(prismsim.Fault{Path: "power-off$", TaskError: "busy"}), memory: 2, command: applyStep},
	},
	"update-conflicts": {
		{command: applyStep},
		{before: failing(prismsim.Fault{Method: http.MethodPut, Conflict: true}), memory: 8, command: applyStep},
		{memory: 8, command: append(slices.Clone(planStep), "-refresh=false")},
		{memory: 8, command: planStep},
	},
	"read-fails-in-update": {
		{command: applyStep},
		{
			before: failing(prismsim.Fault{Method: http.MethodGet, Path: "/vms/[^/]+$", Status: http.StatusInternalServerError, Skip: 1}),
			memory: 8, command: applyStep,
		},
	},
	"create-fails":         {{before: failing(prismsim.Fault{Path: "/vms$", TaskError: "no luck"}), command: applyStep}},
	"create-fails-late":    {{before: failing(prismsim.Fault{Path: "/vms$", TaskError: "late", AfterWork: true}), command: applyStep}},
	"create-fails-silent":  {{before: failing(prismsim.Fault{Path: "/vms$", TaskSilent: true}), command: applyStep}},
	"create-is-refused":    {{before: failing(prismsim.Fault{Path: "/vms$", Status: http.StatusBadRequest}), command: applyStep}},
	"create-is-overloaded": {{before: failing(prismsim.Fault{Path: "/vms$", Status: http.StatusTooManyRequests, Times: 2}), command: applyStep}},
	"create-response-is-lost": {{ // the provider sends the create again with the same request ID
		before: failing(prismsim.Fault{Path: "/vms$", ReplyStatus: http.StatusServiceUnavailable, Times: 1}), command: applyStep,
	}},
	"power-on-conflicts-once": {{before: failing(prismsim.Fault{Path: "power-on$", Conflict: true, Times: 1}), command: applyStep}},
	"create-answers-html": {{
		before: failing(prismsim.Fault{Path: "/vms$", Status: http.StatusBadGateway, Body: "<html>", ContentType: "text/html"}), command: applyStep,
	}},
	"poll-fails": {{
		before: failing(prismsim.Fault{Path: "/tasks/", Status: http.StatusInternalServerError}), command: applyStep,
	}, {command: planStep}},
	"category-exists":            {{config: existingCategory, command: applyStep}},
	"volume-group-is-attached":   {{command: applyStep}, {before: attach, command: planStep}, {command: destroyStep}},
	"customization-not-returned": {{config: customized, command: applyStep}, {config: customized, command: planStep}},
	"power-off-outside": {
		{command: applyStep},
		{before: func(t *testing.T, s *prismsim.Server) { require.NoError(t, s.PowerOff(s.VMs()[0].UUID)) }, command: planStep},
		{command: applyStep},
	},
}

// defectRecord is the record of one step.
type defectRecord struct {
	Command  []string   `json:"command"`
	Failed   bool       `json:"failed"`
	Errors   []string   `json:"errors,omitempty"` // first lines of the errors
	Summary  string     `json:"summary,omitempty"`
	Requests []exchange `json:"requests"`
	State    []string   `json:"state"` // addresses of the resources, with "(tainted)"
	Power    []string   `json:"power"` // power states of all VMs
}

// TestTerraformV4Defects compares what the provider and its stand-in do in case of a fault with what was recorded from the provider.
func TestTerraformV4Defects(t *testing.T) {
	for _, provider := range toolbox.V4Providers(t) {
		for name, steps := range defects {
			t.Run(provider.String()+" "+name, func(t *testing.T) {
				t.Parallel()
				s := startCurrent(t, func(o *prismsim.Options) { o.Address = providerAddress(t) })
				recorder := newRecorder(t, s, provider, "defects")
				tf := newWorkspace(t, s, provider, "")
				var records []defectRecord
				for _, step := range steps {
					records = append(records, runDefectStep(t, tf, s, recorder, step))
				}
				recorder.check(name, records)
			})
		}
	}
}

func runDefectStep(t *testing.T, tf *terraform, s *prismsim.Server, r *recorder, step defectStep) defectRecord {
	t.Helper()
	r.learn()
	if step.before != nil {
		step.before(t, s)
	}
	memory := step.memory
	if memory == 0 {
		memory = 4
	}
	tf.write("main.tf", fmt.Sprintf(`
resource "nutanix_virtual_machine_v2" "vm" {
  name              = "vm-1"
  memory_size_bytes = %d
  cluster { ext_id = %q }
%s
}
`, memory<<30, named(t, s, "cluster", "nutanix-cluster-1"), step.config))
	r.begin()
	output, code := tf.run(step.command...)
	r.learn()
	record := defectRecord{
		Command: step.command, Failed: code != 0, Errors: errorLines(output), Summary: summaryPattern.FindString(output),
		Requests: r.exchanges(), State: stateOf(t, tf), Power: []string{},
	}
	for _, vm := range s.VMs() {
		record.Power = append(record.Power, vm.PowerState)
	}
	return record
}

var (
	errorPattern   = regexp.MustCompile(`(?m)^Error: (.*)$`)
	crashPattern   = regexp.MustCompile(`(?m)^Error: (.* plugin crashed!)$`)
	summaryPattern = regexp.MustCompile(`Plan: .*|No changes\.|(Apply|Destroy) complete! .*`)
)

// errorLines returns the first lines of the errors in the output of Terraform. If the provider crashed, the other errors
// depend on timing.
func errorLines(output string) []string {
	var out []string
	if crash := crashPattern.FindStringSubmatch(output); crash != nil {
		return crash[1:]
	}
	for _, match := range errorPattern.FindAllStringSubmatch(output, -1) {
		out = append(out, match[1])
	}
	return out
}

// stateOf returns the addresses of the resources in the state of a workspace.
func stateOf(t *testing.T, tf *terraform) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(tf.dir, "terraform.tfstate"))
	if os.IsNotExist(err) {
		return []string{}
	}
	require.NoError(t, err)
	var state struct {
		Resources []struct {
			Type, Name string
			Instances  []struct{ Status string }
		}
	}
	require.NoError(t, json.Unmarshal(raw, &state))
	out := []string{}
	for _, resource := range state.Resources {
		address := resource.Type + "." + resource.Name
		if resource.Instances[0].Status != "" {
			address += " (" + resource.Instances[0].Status + ")"
		}
		out = append(out, address)
	}
	return out
}

// check compares the records of a test with the recorded ones.
func (r *recorder) check(name string, records any) {
	r.t.Helper()
	r.compareWith(name, strings.TrimSpace(r.normalise(encoded(r.t, records)))+"\n")
}
