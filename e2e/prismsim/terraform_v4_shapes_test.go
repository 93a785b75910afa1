package prismsim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/toolbox"
)

// v4Shapes are blocks of VMs of which each plans clean after it was created. Properties that are false or zero are left
// out, because provider 2.4.2 does not send these when it creates a VM.
var v4Shapes = map[string]string{
	"empty": ``,
	"legacy": `
  boot_config {
    legacy_boot {
      boot_device {
        boot_device_disk {
          disk_address {
            bus_type = "SCSI"
            index    = 0
          }
        }
      }
    }
  }
  disks {
    disk_address {
      bus_type = "SCSI"
      index    = 0
    }
    backing_info {
      vm_disk {
        data_source {
          reference {
            image_reference { image_ext_id = "{image}" }
          }
        }
      }
    }
  }
`,
	"secure": `
  machine_type = "Q35"
  boot_config {
    uefi_boot {
      is_secure_boot_enabled = true
      boot_order             = ["DISK", "NETWORK"]
    }
  }
  vtpm_config { is_vtpm_enabled = true }
`,
	"network": `
  nics {
    nic_network_info {
      virtual_ethernet_nic_network_info {
        nic_type  = "NORMAL_NIC"
        vlan_mode = "ACCESS"
        subnet { ext_id = "{second-subnet}" }
        ipv4_config {
          should_assign_ip = true
          ip_address { value = "127.40.2.99" }
        }
      }
    }
  }
  nics {
    nic_backing_info {
      virtual_ethernet_nic {
        model = "E1000"
      }
    }
    nic_network_info {
      virtual_ethernet_nic_network_info {
        nic_type  = "NORMAL_NIC"
        vlan_mode = "ACCESS"
        subnet { ext_id = "{subnet}" }
      }
    }
  }
`,
	"devices": `
  is_agent_vm          = true
  num_cores_per_socket = 2
  num_threads_per_core = 2
  memory_size_bytes    = 2147483648
  cd_roms {
    disk_address {
      bus_type = "SATA"
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
    index        = 0
    is_connected = true
  }
  gpus {
    mode      = "PASSTHROUGH_COMPUTE"
    vendor    = "NVIDIA"
    device_id = 7864
  }
  disks {
    disk_address {
      bus_type = "PCI"
      index    = 1
    }
    backing_info {
      vm_disk {
        disk_size_bytes = 1073741824
        storage_config { is_flash_mode_enabled = true }
        storage_container { ext_id = "{container}" }
      }
    }
  }
`,
	"off": `
  power_state = "OFF"
  description = "d"
  project { ext_id = "{project}" }
  categories { ext_id = "{second-category}" }
`,
}

// TestTerraformV4ShapesPlanClean creates a VM of each shape with both sets of rules.
func TestTerraformV4ShapesPlanClean(t *testing.T) {
	for _, provider := range toolbox.V4Providers(t) {
		for name, second := range map[string]bool{"first answers": false, "second answers": true} {
			t.Run(provider.String()+" "+name, func(t *testing.T) {
				t.Parallel()
				s := startCurrent(t, func(o *prismsim.Options) {
					o.Address = providerAddress(t)
					o.Rules, _ = prismsim.Answers(second)
				})
				names := inventoryNames(t, s)
				names[named(t, s, "image", "bootstrap-iso")] = "{iso}"
				tf := newWorkspace(t, s, provider, "")
				var config strings.Builder
				for name, blocks := range v4Shapes {
					const head = "resource \"nutanix_virtual_machine_v2\" %q {\n  name = %q\n  cluster { ext_id = \"{cluster}\" }\n%s}\n"
					_, _ = fmt.Fprintf(&config, head, name, name, blocks)
				}
				tf.write("main.tf", fill(config.String(), names))
				tf.apply()
				tf.requireCleanPlan()
				require.Len(t, s.VMs(), len(v4Shapes))
				for _, vm := range s.VMs() {
					assert.Equal(t, vm.Name == "off", vm.PowerState == "OFF", vm.Name)
				}
				tf.must("destroy", "-auto-approve", "-input=false")
				assert.Empty(t, s.VMs())
			})
		}
	}
}

// TestTerraformV4ImportsVMCreatedByV3 imports a VM that a v3 client has created. The plan changes nothing.
func TestTerraformV4ImportsVMCreatedByV3(t *testing.T) {
	for _, provider := range toolbox.V4Providers(t) {
		t.Run(provider.String(), func(t *testing.T) {
			t.Parallel()
			s := startCurrent(t, func(o *prismsim.Options) { o.Address = providerAddress(t) })
			body := intent(t, s, "vm-1")
			body.Spec.Description = ptr("first")
			body.Spec.Resources.GuestCustomization = &v3.GuestCustomization{CloudInit: &v3.GuestCustomizationCloudInit{UserData: ptr("I2Nsb3Vk")}}
			body.Spec.Resources.BootConfig = &v3.VMBootConfig{BootType: ptr("UEFI")}
			body.Metadata.ProjectReference = ref("project", named(t, s, "project", "platform"))
			made := create(t, connect(t, s, nil), body)
			names := inventoryNames(t, s)
			shape := v4Shape{description: "first", sockets: 2, memoryGiB: 4, diskGiB: 40}
			config := strings.Replace(shape.config(), "  categories { ext_id = nutanix_category_v2.c.id }\n", "", 1)
			tf := newWorkspace(t, s, provider, "")
			tf.write("main.tf", fill(config, names)+fmt.Sprintf("import {\n  to = nutanix_virtual_machine_v2.vm\n  id = %q\n}\n", *made.Metadata.UUID))
			output := tf.apply()
			assert.Contains(t, output, "1 imported, 1 added, 0 changed, 0 destroyed")
			tf.requireCleanPlan()
			for _, request := range s.Requests() {
				assert.False(t, strings.Contains(request.Path, "/vmm/") && request.Method != "GET" && request.Method != "OPTIONS", "%s %s", request.Method, request.Path)
			}
		})
	}
}
