package prismsim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/toolbox"
)

// startCurrent starts a Prism Central of a release that provider 2.4 supports.
func startCurrent(t *testing.T, change func(*prismsim.Options)) *prismsim.Server {
	t.Helper()
	return start(t, func(o *prismsim.Options) {
		o.Inventory.PrismCentral.Version, o.Inventory.PrismCentral.APIVersion = "pc.7.5.1", "v4.3"
		if change != nil {
			change(o)
		}
	})
}

// v4Shape is a configuration of a VM that steps of a test change.
type v4Shape struct {
	description string
	sockets     int
	memoryGiB   int64
	diskGiB     int64
	power       string // default ON
	blocks      string // further blocks of the VM
}

// v4Machine is the configuration of a VM with provider 2.4. The IDs are those of the inventory.
const v4Machine = `
resource "nutanix_category_v2" "c" {
  key         = "KubernetesClusterName"
  value       = "c1"
  description = "marks the VMs of a cluster"
}

resource "nutanix_virtual_machine_v2" "vm" {
  name                 = "vm-1"
  description          = "%DESCRIPTION%"
  num_sockets          = %SOCKETS%
  num_cores_per_socket = 1
  memory_size_bytes    = %MEMORY%
  power_state          = "%POWER%"
  cluster { ext_id = "{cluster}" }
  project { ext_id = "{project}" }
  categories { ext_id = nutanix_category_v2.c.id }
  boot_config {
    uefi_boot { boot_order = ["CDROM", "DISK", "NETWORK"] }
  }
  disks {
    disk_address {
      bus_type = "SCSI"
      index    = 0
    }
    backing_info {
      vm_disk {
        disk_size_bytes = %DISK%
        data_source {
          reference {
            image_reference { image_ext_id = "{image}" }
          }
        }
      }
    }
  }
  nics {
    nic_network_info {
      virtual_ethernet_nic_network_info {
        nic_type  = "NORMAL_NIC"
        vlan_mode = "ACCESS"
        subnet { ext_id = "{subnet}" }
      }
    }
  }
  guest_customization {
    config {
      cloud_init {
        datasource_type = "CONFIG_DRIVE_V2"
        metadata        = base64encode("{}")
        cloud_init_script {
          user_data { value = base64encode("#cloud-config") }
        }
      }
    }
  }
%BLOCKS%
  lifecycle { ignore_changes = [guest_customization, cd_roms] }
}
`

// dataDisk, secondNIC, secondCategory and gpu are blocks of a VM with provider 2.4.
const (
	dataDisk = `
  disks {
    disk_address {
      bus_type = "SCSI"
      index    = 1
    }
    backing_info {
      vm_disk {
        disk_size_bytes = 1073741824
        storage_container { ext_id = "{container}" }
      }
    }
  }
`
	secondNIC = `
  nics {
    nic_network_info {
      virtual_ethernet_nic_network_info {
        nic_type  = "NORMAL_NIC"
        vlan_mode = "ACCESS"
        subnet { ext_id = "{second-subnet}" }
      }
    }
  }
`
	secondCategory = `
  categories { ext_id = "{second-category}" }
`
	gpu = `
  gpus {
    mode      = "PASSTHROUGH_COMPUTE"
    vendor    = "NVIDIA"
    device_id = 7864
  }
`
)

// config returns the configuration with placeholders for the IDs of the inventory.
func (shape v4Shape) config() string {
	power := shape.power
	if power == "" {
		power = "ON"
	}
	return strings.NewReplacer(
		"%DESCRIPTION%", shape.description, "%SOCKETS%", fmt.Sprint(shape.sockets), "%MEMORY%", fmt.Sprint(shape.memoryGiB<<30),
		"%DISK%", fmt.Sprint(shape.diskGiB<<30), "%POWER%", power, "%BLOCKS%", shape.blocks,
	).Replace(v4Machine)
}

// v4Steps are the changes of a VM whose requests are recorded. After each step a plan has no changes.
var v4Steps = []struct {
	name   string
	change func(*v4Shape)
	want   func(t *testing.T, vm prismsim.VM)
}{
	{"create", func(*v4Shape) {}, func(t *testing.T, vm prismsim.VM) {
		assert.Equal(t, "#cloud-config", string(vm.UserData))
		assert.Equal(t, map[string]string{"KubernetesClusterName": "c1"}, vm.Categories)
		assert.Equal(t, "platform UEFI", vm.Project+" "+vm.BootType)
	}},
	{"update-hot", func(s *v4Shape) { s.description, s.memoryGiB = "second", 8 }, func(t *testing.T, vm prismsim.VM) {
		assert.Equal(t, "second 8192", fmt.Sprint(vm.Description, " ", vm.MemoryMiB))
	}},
	{"update-cold", func(s *v4Shape) { s.sockets, s.memoryGiB = 4, 4 }, func(t *testing.T, vm prismsim.VM) {
		assert.Equal(t, "4 4096", fmt.Sprint(vm.Sockets, " ", vm.MemoryMiB))
	}},
	{"disks", func(s *v4Shape) { s.diskGiB, s.blocks = 60, dataDisk }, func(t *testing.T, vm prismsim.VM) {
		assert.Equal(t, []int64{60 << 10, 1 << 10}, []int64{vm.Disks[0].SizeMiB, vm.Disks[2].SizeMiB})
		assert.Equal(t, "fast", vm.Disks[2].StorageContainer)
	}},
	{"nic-and-category", func(s *v4Shape) { s.blocks = dataDisk + secondNIC + secondCategory }, func(t *testing.T, vm prismsim.VM) {
		assert.Equal(t, []string{"vm-network", "storage-network"}, []string{vm.NICs[0].Subnet, vm.NICs[1].Subnet})
		assert.Equal(t, map[string]string{"KubernetesClusterName": "c1", "Environment": "Testing"}, vm.Categories)
	}},
	{"gpu", func(s *v4Shape) { s.blocks += gpu }, func(t *testing.T, vm prismsim.VM) {
		assert.Equal(t, []string{"Tesla T4"}, vm.GPUs)
	}},
	{"remove-devices", func(s *v4Shape) { s.blocks = "" }, func(t *testing.T, vm prismsim.VM) {
		assert.Equal(t, []int{2, 1, 0}, []int{len(vm.Disks), len(vm.NICs), len(vm.GPUs)})
		assert.Equal(t, map[string]string{"KubernetesClusterName": "c1"}, vm.Categories)
	}},
	{"power-off", func(s *v4Shape) { s.power = "OFF" }, func(t *testing.T, vm prismsim.VM) { assert.Equal(t, "OFF", vm.PowerState) }},
	{"power-on", func(s *v4Shape) { s.power = "" }, nil},
	{"destroy", nil, nil},
}

// TestTerraformV4Requests compares the requests and the plans of the provider and of its stand-in with those recorded from the provider.
func TestTerraformV4Requests(t *testing.T) {
	for _, provider := range toolbox.V4Providers(t) {
		t.Run(provider.String(), func(t *testing.T) {
			t.Parallel()
			s := startCurrent(t, func(o *prismsim.Options) { o.Address = providerAddress(t) })
			recorder := newRecorder(t, s, provider)
			tf := newWorkspace(t, s, provider, "")
			shape := v4Shape{description: "first", sockets: 2, memoryGiB: 4, diskGiB: 40}
			for _, step := range v4Steps {
				plan := []string{"plan", "-input=false", "-parallelism=1", "-out=plan"}
				if step.change == nil {
					plan = append(plan, "-destroy")
				} else {
					step.change(&shape)
				}
				tf.write("main.tf", recorder.fill(shape.config()))
				recorder.begin()
				tf.must(plan...)
				recorder.planned(tf.must("show", "-json", "plan"))
				tf.must("apply", "-input=false", "-parallelism=1", "plan")
				recorder.compare(step.name)
				if step.change == nil {
					break
				}
				tf.requireCleanPlan()
				if step.want != nil {
					step.want(t, s.VMs()[0])
				}
			}
			assert.Empty(t, s.VMs())
			assert.Nil(t, s.CategoryValues("KubernetesClusterName"))
		})
	}
}

// TestTerraformV4AntiAffinityPolicy does the same for an anti-affinity policy. The policy goes before its category.
func TestTerraformV4AntiAffinityPolicy(t *testing.T) {
	for _, provider := range toolbox.V4Providers(t) {
		t.Run(provider.String(), func(t *testing.T) {
			t.Parallel()
			s := startCurrent(t, func(o *prismsim.Options) { o.Address = providerAddress(t) })
			recorder := newRecorder(t, s, provider)
			tf := newWorkspace(t, s, provider, "")
			for _, step := range []struct{ name, policy string }{{"create", "first"}, {"update", "second"}, {"destroy", ""}} {
				plan := []string{"plan", "-input=false", "-parallelism=1", "-out=plan"}
				if step.policy == "" {
					plan = append(plan, "-destroy")
				}
				tf.write("main.tf", strings.ReplaceAll(v4Policy, "%DESCRIPTION%", step.policy))
				recorder.begin()
				tf.must(plan...)
				recorder.planned(tf.must("show", "-json", "plan"))
				tf.must("apply", "-input=false", "-parallelism=1", "plan")
				recorder.compare("anti-affinity-" + step.name)
				if step.policy != "" {
					tf.requireCleanPlan()
					assert.Equal(t, step.policy, s.AntiAffinityPolicies()[0].Description)
				}
			}
			assert.Empty(t, s.AntiAffinityPolicies())
			assert.Nil(t, s.CategoryValues("KubernetesClusterName"))
		})
	}
}

const v4Policy = `
resource "nutanix_category_v2" "c" {
  key   = "KubernetesClusterName"
  value = "c1"
}

resource "nutanix_vm_anti_affinity_policy_v2" "apart" {
  name        = "apart"
  description = "%DESCRIPTION%"
  categories  = [nutanix_category_v2.c.id]
}
`

// TestTerraformV4DataSources reads all data sources that look up entities by name with the real provider. The stand-in has none.
func TestTerraformV4DataSources(t *testing.T) {
	for _, provider := range toolbox.V4Providers(t) {
		if provider.StandIn {
			continue
		}
		t.Run(provider.String(), func(t *testing.T) {
			t.Parallel()
			s := startCurrent(t, func(o *prismsim.Options) { o.Address = providerAddress(t) })
			vm := addVM(t, s, nil)
			tf := newWorkspace(t, s, provider, `
data "nutanix_clusters_v2" "pe" { filter = "name eq 'nutanix-cluster-1'" }
data "nutanix_images_v2" "os" { filter = "name eq 'ubuntu-22.04-kube-v1.28.0'" }
data "nutanix_images_v2" "none" { filter = "name eq 'none'" }
data "nutanix_subnets_v2" "net" { filter = "name eq 'vm-network'" }
data "nutanix_storage_containers_v2" "fast" { filter = "name eq 'fast'" }
data "nutanix_categories_v2" "testing" { filter = "key eq 'Environment' and value eq 'Testing'" }
data "nutanix_virtual_machines_v2" "vm" { filter = "name eq 'vm-0'" }
data "nutanix_project" "p" { project_name = "platform" }
output "ids" {
  value = {
    cluster   = data.nutanix_clusters_v2.pe.cluster_entities[0].ext_id
    image     = data.nutanix_images_v2.os.images[0].ext_id
    none      = length(data.nutanix_images_v2.none.images)
    subnet    = data.nutanix_subnets_v2.net.subnets[0].ext_id
    container = data.nutanix_storage_containers_v2.fast.storage_containers[0].container_ext_id
    category  = data.nutanix_categories_v2.testing.categories[0].ext_id
    vm        = data.nutanix_virtual_machines_v2.vm.vms[0].ext_id
    project   = data.nutanix_project.p.id
  }
}
`)
			tf.apply()
			category, err := s.CategoryID("Environment", "Testing")
			require.NoError(t, err)
			assert.Equal(t, map[string]any{
				"cluster": named(t, s, "cluster", "nutanix-cluster-1"), "image": named(t, s, "image", "ubuntu-22.04-kube-v1.28.0"), "none": 0.0,
				"subnet": named(t, s, "subnet", "vm-network"), "container": named(t, s, "storage_container", "fast"), "category": category,
				"vm": vm.UUID, "project": named(t, s, "project", "platform"),
			}, tf.outputs()["ids"])
		})
	}
}
