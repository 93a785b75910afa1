package prismsim_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/toolbox"
)

// caseVM returns a VM with blocks.
func caseVM(blocks string) string {
	return fmt.Sprintf(`
resource "nutanix_virtual_machine_v2" "vm" {
  name = "vm-1"
  cluster { ext_id = "{cluster}" }
%s}
`, blocks)
}

// caseCategory returns a category with arguments in addition to its value.
func caseCategory(arguments string) string {
	return fmt.Sprintf("resource \"nutanix_category_v2\" \"c\" {\n  value = \"c1\"\n%s}\n", arguments)
}

// customizedBy returns a guest customization with user data.
func customizedBy(data string) string {
	return fmt.Sprintf(`
  guest_customization {
    config {
      cloud_init {
        cloud_init_script {
          user_data { value = base64encode(%q) }
        }
      }
    }
  }
`, data)
}

// caseProperties returns properties of a VM. With "false" and 1, most of them are sent only in an update.
func caseProperties(flag string, number int, boot, machine string) string {
	return fmt.Sprintf(`
  description                  = "number %[2]d"
  num_sockets                  = %[2]d
  num_cores_per_socket         = %[2]d
  num_threads_per_core         = %[2]d
  memory_size_bytes            = %[2]d * 1073741824
  is_vcpu_hard_pinning_enabled = %[1]s
  is_memory_overcommit_enabled = %[1]s
  is_gpu_console_enabled       = %[1]s
  is_branding_enabled          = %[1]s
  is_vga_console_enabled       = %[1]s
  is_agent_vm                  = %[1]s
  is_scsi_controller_enabled   = %[1]s
  hardware_clock_timezone      = "Etc/GMT-%[2]d"
  machine_type                 = %[4]q
  vtpm_config { is_vtpm_enabled = %[1]s }
  apc_config { is_apc_enabled = %[1]s }
  storage_config {
    is_flash_mode_enabled = %[1]s
    qos_config { throttled_iops = 1000 + %[2]d }
  }
  boot_config {
    %[3]s
  }
`, flag, number, boot, machine)
}

const (
	legacyBoot = `legacy_boot { boot_order = ["DISK", "NETWORK"] }`
	uefiBoot   = "uefi_boot {\n is_secure_boot_enabled = true\n boot_order = [\"NETWORK\"]\n }"
)

// caseDevices returns a NIC, a CD-ROM and a serial port.
func caseDevices(subnet, bus, connected string) string {
	return fmt.Sprintf(`
  nics {
    nic_network_info {
      virtual_ethernet_nic_network_info {
        subnet { ext_id = %[1]q }
      }
    }
  }
  cd_roms {
    disk_address {
      bus_type = %[2]q
      index    = 0
    }
    backing_info {
      data_source {
        reference {
          image_reference { image_ext_id = "{iso}" }
        }
      }
    }
  }
  serial_ports {
    index        = 1
    is_connected = %[3]s
  }
`, subnet, bus, connected)
}

// deprecatedNIC returns a NIC in its deprecated form.
func deprecatedNIC(connected, subnet string) string {
	return fmt.Sprintf(`
  nics {
    backing_info {
      model        = "E1000"
      is_connected = %s
    }
    network_info {
      nic_type = "NORMAL_NIC"
      subnet { ext_id = %q }
    }
  }
`, connected, subnet)
}

// imported returns a configuration that imports an object of the simulation.
func imported(address, id, config string) string {
	return config + fmt.Sprintf("import {\n  to = %s\n  id = %q\n}\n", address, id)
}

const sysprep = `
  guest_customization {
    config {
      sysprep {
        install_type = "FRESH"
        sysprep_script {
          unattend_xml { value = base64encode("<unattend/>") }
        }
      }
    }
  }
`

// v4Cases are configurations that follow each other in a workspace. The plan and the requests of each step are recorded. A plan that fails
// is not applied.
var v4Cases = map[string][]string{
	"customization-added":   {caseVM(""), caseVM(customizedBy("#cloud-config"))},
	"customization-changed": {caseVM(customizedBy("first")), caseVM(customizedBy("second")), caseVM("")},
	"sysprep":               {caseVM(sysprep), caseVM(sysprep)},
	"properties": {
		caseVM(caseProperties("true", 2, legacyBoot, "PC")), caseVM(caseProperties("false", 1, uefiBoot, "Q35")),
		caseVM(caseProperties("false", 3, legacyBoot, "Q35")),
	},
	"false-on-create": {caseVM(caseProperties("false", 1, legacyBoot, "PC")), caseVM(caseProperties("false", 1, legacyBoot, "PC"))},
	"devices": {
		caseVM(""), caseVM(caseDevices("{subnet}", "SATA", "true")), caseVM(caseDevices("{subnet}", "IDE", "false")), caseVM(""),
	},
	"nic-moved": {caseVM(caseDevices("{subnet}", "SATA", "true")), caseVM(caseDevices("{second-subnet}", "SATA", "true"))},
	"deprecated-nic": {
		caseVM(deprecatedNIC("true", "{subnet}")), caseVM(deprecatedNIC("true", "{subnet}")), caseVM(deprecatedNIC("false", "{subnet}")),
	},
	"category": {
		caseCategory("  key = \"KubernetesClusterName\"\n"),
		caseCategory("  key = \"KubernetesClusterName\"\n  description = \"second\"\n"),
		caseCategory("  key = \"Ignored\"\n  description = \"second\"\n"),
	},
	"import-category": {
		imported("nutanix_category_v2.testing", "{second-category}",
			"resource \"nutanix_category_v2\" \"testing\" {\n  key = \"Environment\"\n  value = \"Testing\"\n}\n"),
	},
	"import-absent":  {imported("nutanix_virtual_machine_v2.vm", "00000000-0000-4000-8000-000000000001", caseVM(""))},
	"import":         {imported("nutanix_virtual_machine_v2.vm", "{vm}", caseVM(""))},
	"power-state":    {caseVM("power_state = \"OFF\"\n"), caseVM("power_state = \"ON\"\n"), caseVM("power_state = \"PAUSED\"\n")},
	"invalid-values": {caseVM("num_sockets = 0\nmachine_type = \"VAX\"\npower_state = \"on\"\n"), caseVM("gpus { mode = \"VIRTUAL\" }\n")},
}

// caseRecord is the record of one step.
type caseRecord struct {
	Plan       []any      `json:"plan"` // resource_changes of `terraform show -json`
	PlanErrors []string   `json:"planErrors,omitempty"`
	Errors     []string   `json:"errors,omitempty"` // first lines of the errors of the apply
	Requests   []exchange `json:"requests"`
	State      []string   `json:"state"`
}

// TestTerraformV4Cases compares the plans and requests of the provider and of its stand-in with those recorded from the provider.
func TestTerraformV4Cases(t *testing.T) {
	for _, provider := range toolbox.V4Providers(t) {
		for name, configs := range v4Cases {
			t.Run(provider.String()+" "+name, func(t *testing.T) {
				t.Parallel()
				s := startCurrent(t, func(o *prismsim.Options) { o.Address = providerAddress(t) })
				recorder := newRecorder(t, s, provider, "cases")
				recorder.names[named(t, s, "image", "bootstrap-iso")] = "{iso}"
				if name == "import" {
					addVM(t, s, nil)
				}
				tf := newWorkspace(t, s, provider, "")
				var records []caseRecord
				for _, config := range configs {
					records = append(records, runCase(t, tf, recorder, config))
				}
				recorder.check(name, records)
			})
		}
	}
}

func runCase(t *testing.T, tf *terraform, r *recorder, config string) caseRecord {
	t.Helper()
	r.learn()
	tf.write("main.tf", r.fill(config))
	r.begin()
	r.plan = []any{}
	record := caseRecord{State: []string{}}
	if output, code := tf.run("plan", "-input=false", "-parallelism=1", "-out=plan"); code != 0 {
		record.PlanErrors = errorLines(output)
	} else {
		r.planned(tf.must("show", "-json", "plan"))
		output, _ := tf.run("apply", "-input=false", "-parallelism=1", "plan")
		record.Errors = errorLines(output)
	}
	r.learn()
	record.Plan, record.Requests, record.State = r.plan, r.exchanges(), stateOf(t, tf)
	return record
}

// providerProblems are settings of the provider that it refuses.
var providerProblems = map[string]string{
	"username without password": "  username = \"u\"\n  password = \"\"\n",
	"no credentials":            "  username = \"\"\n  password = \"\"\n",
}

// TestStandInRefusesEndpointsOfOthers proves that the stand-in sends nothing to another machine, and that it reports missing credentials as
// the provider does.
func TestStandInRefusesEndpointsOfOthers(t *testing.T) {
	for _, provider := range toolbox.V4Providers(t) {
		t.Run(provider.String(), func(t *testing.T) {
			t.Parallel()
			s := startCurrent(t, func(o *prismsim.Options) { o.Address = providerAddress(t) })
			recorder := newRecorder(t, s, provider)
			tf := newWorkspace(t, s, provider, recorder.fill(caseVM("")))
			raw, err := os.ReadFile(filepath.Join(tf.dir, "versions.tf"))
			require.NoError(t, err)
			configure := func(settings string) {
				tf.write("versions.tf", strings.Replace(string(raw), `provider "nutanix" {}`, "provider \"nutanix\" {\n"+settings+"}", 1))
			}
			problems := map[string][]string{}
			for name, settings := range providerProblems {
				configure(settings)
				output, code := tf.run("plan", "-input=false")
				require.NotZero(t, code, output)
				problems[name] = errorLines(output)
			}
			recorder.compareWith("configuration", encoded(t, problems))
			if provider.StandIn {
				configure("  endpoint = \"10.0.0.1\"\n")
				output, code := tf.run("plan", "-input=false")
				require.NotZero(t, code, output)
				require.Contains(t, output, "stand-in of the provider")
			}
			require.Empty(t, s.Requests())
		})
	}
}
