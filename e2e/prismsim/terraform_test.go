package prismsim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/toolbox"
)

// providerPort is the only port that provider 1.9.5 supports if environment variables configure it.
const providerPort = "9440"

// providerAddress returns a loopback address on which port 9440 is free.
func providerAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := net.JoinHostPort(fmt.Sprintf("127.%d.%d.%d", 60+rand.IntN(100), rand.IntN(250), 2+rand.IntN(250)), providerPort)
		listener, err := net.Listen("tcp", address)
		if err == nil {
			require.NoError(t, listener.Close())
			return address
		}
	}
	t.Fatal("finding a loopback address with a free port 9440: none of 100 was free")
	return ""
}

// terraform is a Terraform workspace with the real provider.
type terraform struct {
	t    *testing.T
	dir  string
	host string
	ca   string
}

// newTerraform starts a simulated Prism Central and returns a workspace with provider 1.9.5 that uses it.
func newTerraform(t *testing.T, config string) (*terraform, *prismsim.Server) {
	t.Helper()
	s := start(t, func(o *prismsim.Options) { o.Address = providerAddress(t) })
	return newWorkspace(t, s, toolbox.Provider{Version: "1.9.5"}, config), s
}

// newWorkspace returns a workspace with a provider.
func newWorkspace(t *testing.T, s *prismsim.Server, provider toolbox.Provider, config string) *terraform {
	t.Helper()
	host, _, err := net.SplitHostPort(s.Address())
	require.NoError(t, err)
	tf := &terraform{t: t, dir: t.TempDir(), host: host}
	tf.ca = filepath.Join(tf.dir, "ca.pem")
	require.NoError(t, os.WriteFile(tf.ca, s.CABundle(), 0o600))
	tf.write("terraform.rc", fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", provider.Mirror(t)))
	tf.write("versions.tf", strings.ReplaceAll(`
terraform {
  required_providers {
    nutanix = {
      source  = "registry.terraform.io/nutanix/nutanix"
      version = "%VERSION%"
    }
  }
}

provider "nutanix" {}
`, "%VERSION%", provider.Version))
	tf.write("main.tf", config)
	tf.must("init", "-input=false")
	return tf
}

func (tf *terraform) write(name, content string) {
	tf.t.Helper()
	require.NoError(tf.t, os.WriteFile(filepath.Join(tf.dir, name), []byte(content), 0o600))
}

// run runs a Terraform command and returns the output and the exit code.
func (tf *terraform) run(args ...string) (string, int) {
	tf.t.Helper()
	command := exec.CommandContext(tf.t.Context(), toolbox.Path(tf.t, "bin/terraform"), args...)
	command.Dir = tf.dir
	command.Env = []string{
		"HOME=" + tf.dir, "PATH=" + os.Getenv("PATH"), "TF_CLI_CONFIG_FILE=" + filepath.Join(tf.dir, "terraform.rc"), "CHECKPOINT_DISABLE=1",
		"NUTANIX_ENDPOINT=" + tf.host, "NUTANIX_USERNAME=" + testUser, "NUTANIX_PASSWORD=" + testPassword,
		"NUTANIX_INSECURE=false", "SSL_CERT_FILE=" + tf.ca, "NO_COLOR=1", "TF_CLI_ARGS=-no-color",
	}
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	err := command.Run()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(tf.t, err, &exit, "terraform did not run")
		return output.String(), exit.ExitCode()
	}
	return output.String(), 0
}

func (tf *terraform) must(args ...string) string {
	tf.t.Helper()
	output, code := tf.run(args...)
	require.Zero(tf.t, code, "terraform %s:\n%s", strings.Join(args, " "), output)
	return output
}

func (tf *terraform) apply(args ...string) string {
	tf.t.Helper()
	return tf.must(append([]string{"apply", "-auto-approve", "-input=false"}, args...)...)
}

// requireCleanPlan requires that a plan contains no changes.
func (tf *terraform) requireCleanPlan() {
	tf.t.Helper()
	output, code := tf.run("plan", "-detailed-exitcode", "-input=false")
	require.Zero(tf.t, code, output)
	assert.Contains(tf.t, output, "No changes.")
}

// outputs returns the outputs of the workspace.
func (tf *terraform) outputs() map[string]any {
	tf.t.Helper()
	var raw map[string]struct{ Value any }
	require.NoError(tf.t, json.Unmarshal([]byte(tf.must("output", "-json")), &raw))
	out := map[string]any{}
	for name, o := range raw {
		out[name] = o.Value
	}
	return out
}

// lookups contains the data sources to which the machines refer.
const lookups = `
data "nutanix_cluster" "pe" { name = "nutanix-cluster-1" }
data "nutanix_clusters" "all" {}
data "nutanix_subnet" "net" { subnet_name = "vm-network" }
data "nutanix_subnet" "dual" { subnet_name = "dual-stack-network" }
data "nutanix_subnets" "all" {}
data "nutanix_image" "os" { image_name = "ubuntu-22.04-kube-v1.28.0" }
data "nutanix_project" "p" { project_name = "platform" }
data "nutanix_projects" "all" {}
data "nutanix_hosts" "all" {}
data "nutanix_host" "one" { host_id = data.nutanix_hosts.all.entities[0].metadata.uuid }
data "nutanix_category_key" "env" { name = "Environment" }
`

// gpuList is the GPU block of fullMachine.
const gpuList = `  gpu_list {
    vendor    = "NVIDIA"
    mode      = "PASSTHROUGH_COMPUTE"
    device_id = 7864
  }
`

// fullMachine sets every VM field that the project's modules set.
const fullMachine = `
resource "nutanix_category_key" "k" {
  name        = "KubernetesClusterName"
  description = "marks the VMs of a cluster"
}

resource "nutanix_category_value" "v" {
  name  = nutanix_category_key.k.name
  value = "c1"
}

resource "nutanix_virtual_machine" "full" {
  name                 = "full"
  description          = "%[1]s"
  cluster_uuid         = data.nutanix_cluster.pe.id
  num_sockets          = %[2]d
  num_vcpus_per_socket = 2
  memory_size_mib      = %[3]d
  boot_type            = "UEFI"
  boot_device_order_list = ["CDROM", "DISK", "NETWORK"]
  hardware_clock_timezone = "UTC"

  guest_customization_cloud_init_user_data = base64encode("#cloud-config")
  guest_customization_cloud_init_meta_data = base64encode("{}")

  project_reference = {
    kind = "project"
    uuid = data.nutanix_project.p.id
    name = "platform" # Prism returns it, and the provider compares the whole map
  }
  categories {
    name  = nutanix_category_value.v.name
    value = nutanix_category_value.v.value
  }
  categories {
    name  = "Environment"
    value = "Testing"
  }
  nic_list { subnet_uuid = data.nutanix_subnet.net.id }
  nic_list { subnet_uuid = data.nutanix_subnet.dual.id }
  disk_list {
    data_source_reference = {
      kind = "image"
      uuid = data.nutanix_image.os.id
    }
    disk_size_mib   = 40960
    disk_size_bytes = 40960 * 1024 * 1024
    device_properties {
      device_type = "DISK"
      disk_address = {
        adapter_type = "SCSI"
        device_index = "0"
      }
    }
  }
  disk_list {
    disk_size_mib   = 1024
    disk_size_bytes = 1024 * 1024 * 1024
    device_properties {
      device_type = "DISK"
      disk_address = {
        adapter_type = "SCSI"
        device_index = "1"
      }
    }
    storage_config {
      flash_mode = "ENABLED"
      storage_container_reference {
        kind = "storage_container"
        uuid = "%[4]s"
      }
    }
  }
%[7]s}

resource "nutanix_virtual_machine" "plain" {
  name            = "plain"
  cluster_uuid    = data.nutanix_cluster.pe.id
  description     = "%[5]s"
  memory_size_mib = %[6]d
  nic_list { subnet_uuid = data.nutanix_subnet.net.id }
  disk_list {
    data_source_reference = {
      kind = "image"
      uuid = data.nutanix_image.os.id
    }
  }
}

data "nutanix_virtual_machine" "full" { vm_id = nutanix_virtual_machine.full.id }

output "addresses" {
  value = flatten([for nic in nutanix_virtual_machine.full.nic_list_status : [for e in nic.ip_endpoint_list : e.ip]])
}
output "plain_id" { value = nutanix_virtual_machine.plain.id }
output "power" { value = data.nutanix_virtual_machine.full.power_state }
output "elements" { value = [for e in data.nutanix_clusters.all.entities : e.name] }
output "hosts" { value = length(data.nutanix_hosts.all.entities) }
output "values" { value = data.nutanix_category_key.env.values }
`

func TestTerraformCreatesUpdatesAndDestroysMachines(t *testing.T) {
	t.Parallel()
	tf, s := newTerraform(t, lookups)
	fast := named(t, s, "storage_container", "fast")
	machines := func(fullText string, sockets, memory int, plainText string, plainMemory int, gpus string) string {
		return lookups + fmt.Sprintf(fullMachine, fullText, sockets, memory, fast, plainText, plainMemory, gpus)
	}

	tf.write("main.tf", machines("first", 2, 4096, "plain", 2048, gpuList))
	tf.apply()
	tf.requireCleanPlan()
	outputs := tf.outputs()
	assert.Len(t, outputs["addresses"], 3, "one of the first NIC, IPv4 and IPv6 of the second: %v", outputs["addresses"])
	assert.Equal(t, "ON", outputs["power"])
	assert.Contains(t, outputs["elements"], "prism-central")
	assert.EqualValues(t, 6, outputs["hosts"])
	assert.Equal(t, []any{"Production", "Staging", "Testing"}, outputs["values"])
	assert.Equal(t, []string{"c1"}, s.CategoryValues("KubernetesClusterName"))

	// The full machine is on while it is changed. The plain machine is switched off for the change, because a VM cannot
	// lose memory while it is on. The VM keeps its GPU although the new configuration does not contain the GPU.
	tf.write("main.tf", machines("second", 4, 8192, "smaller", 1024, ""))
	tf.apply()
	tf.requireCleanPlan()
	tf.write("main.tf", machines("second", 4, 8192, "smaller", 1024, gpuList))
	tf.requireCleanPlan()
	for _, vm := range s.VMs() {
		assert.Equal(t, "ON", vm.PowerState, vm.Name)
		assert.Contains(t, []string{"second", "smaller"}, vm.Description)
		assert.Contains(t, []int64{8192, 1024}, vm.MemoryMiB)
		assert.Equal(t, map[string][]string{"full": {"Tesla T4"}}[vm.Name], vm.GPUs)
	}

	tf.must("state", "rm", "nutanix_virtual_machine.plain")
	tf.must("import", "-input=false", "nutanix_virtual_machine.plain", outputs["plain_id"].(string))
	tf.requireCleanPlan()

	tf.must("destroy", "-auto-approve", "-input=false")
	assert.Empty(t, s.VMs())
	assert.Nil(t, s.CategoryValues("KubernetesClusterName"))
}
