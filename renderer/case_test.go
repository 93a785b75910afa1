package renderer_test

import (
	"fmt"
	"maps"
	"slices"

	"github.com/capnt/capnt/renderer"
)

// IDs in the test inputs. They are easy to recognize in the golden files.
const (
	elementUUID   = "00000000-0000-4000-8000-000000000001"
	subnetUUID    = "00000000-0000-4000-8000-000000000011"
	imageUUID     = "00000000-0000-4000-8000-000000000021"
	isoUUID       = "00000000-0000-4000-8000-000000000022"
	projectUUID   = "00000000-0000-4000-8000-000000000031"
	containerUUID = "00000000-0000-4000-8000-000000000041"
	categoryUUID  = "00000000-0000-4000-8000-000000000051"
)

// specialCharacters contains all character sequences that have a meaning in HCL, and all kinds of line endings.
const specialCharacters = "${jsonencode(var.user_data)} %{ if true }x%{ endif } $${a} %%{b} \"quoted\" back\\slash \\\"\nnew\r\nline\ttab # // /* */ <<-EOT\nEOT\n" +
	"} resource \"null\" \"x\" { 日本語 é 🚀 \u2028\u202e\ufeff\x00\x1b[31m"

func settings() renderer.Settings {
	return renderer.Settings{
		ProviderVersion: "1.9.5",
		Backend: renderer.Backend{Type: "kubernetes", Config: map[string]string{
			"namespace": "default", "secret_suffix": "machine-worker-1-x",
		}},
	}
}

func settingsV4() renderer.Settings {
	result := settings()
	result.API, result.ProviderVersion = renderer.APIV4, "2.4.2"
	return result
}

func backend(kind string, config map[string]string) renderer.Settings {
	result := settings()
	result.Backend = renderer.Backend{Type: kind, Config: config}
	return result
}

func systemDisk() renderer.Disk {
	return renderer.Disk{
		DeviceType: renderer.DeviceDisk, AdapterType: renderer.AdapterSCSI, SizeMiB: 40960,
		Image: &renderer.Ref{UUID: imageUUID, Name: "ubuntu-22.04-kube-v1.28.0"},
	}
}

// minimalMachine returns a machine with only the required fields.
func minimalMachine() renderer.Machine {
	return renderer.Machine{
		Name:         "worker-1",
		PrismElement: renderer.Ref{UUID: elementUUID, Name: "pe1"},
		Subnets:      []renderer.Ref{{UUID: subnetUUID, Name: "vm-network"}},
		Sockets:      2, VCPUsPerSocket: 1, MemoryMiB: 4096,
		Disks:     []renderer.Disk{systemDisk()},
		CloudInit: true,
	}
}

func clusterWithControlPlane() renderer.Cluster {
	return renderer.Cluster{CategoryKey: "KubernetesClusterName", CategoryValue: "my-cluster", ControlPlane: &renderer.ControlPlane{
		CategoryKey: "KubernetesClusterControlPlane", CategoryValue: "my-cluster-1a2b3c4d", AntiAffinity: true,
	}}
}

func machine(change func(*renderer.Machine)) renderer.Machine {
	result := minimalMachine()
	change(&result)
	return result
}

func fullMachine() renderer.Machine {
	return machine(func(m *renderer.Machine) {
		m.Description = "capnt: default/worker-1 key=6f0d"
		m.Project = &renderer.Ref{UUID: projectUUID, Name: "kubernetes"}
		m.BootType = renderer.BootUEFI
		m.Categories = map[string]string{"KubernetesClusterName": "my-cluster", "Environment": "Production", "for": "a reserved word"}
		m.Disks = append(m.Disks,
			renderer.Disk{
				DeviceType: renderer.DeviceDisk, AdapterType: renderer.AdapterSCSI, Index: 1, SizeMiB: 10240, FlashMode: true,
				StorageContainer: &renderer.Ref{UUID: containerUUID, Name: "fast"},
			},
			renderer.Disk{DeviceType: renderer.DeviceDisk, AdapterType: renderer.AdapterPCI, SizeMiB: 1024},
			renderer.Disk{
				DeviceType: renderer.DeviceCDROM, AdapterType: renderer.AdapterSATA,
				Image: &renderer.Ref{UUID: isoUUID, Name: "tools.iso"},
			})
		m.GPUs = gpus()
	})
}

func gpus() []renderer.GPU {
	return []renderer.GPU{
		{Vendor: "NVIDIA", Mode: "PASSTHROUGH_COMPUTE", DeviceID: 8757, Name: "Tesla A40"},
		{Vendor: "NVIDIA", Mode: "VIRTUAL", DeviceID: 442},
	}
}

// machineWithSpecialCharacters returns a machine that has special characters in every field that users can set.
func machineWithSpecialCharacters() renderer.Machine {
	return machine(func(m *renderer.Machine) {
		m.Name, m.Description = specialCharacters, specialCharacters
		m.PrismElement.Name = specialCharacters
		m.Project = &renderer.Ref{UUID: projectUUID, Name: specialCharacters}
		m.Subnets[0].Name = specialCharacters
		m.Disks[0].Image.Name = specialCharacters
		m.Disks[0].StorageContainer = &renderer.Ref{UUID: containerUUID, Name: specialCharacters}
		m.GPUs = []renderer.GPU{{Vendor: specialCharacters, Mode: "VIRTUAL", DeviceID: 1, Name: specialCharacters}}
		m.Categories = map[string]string{specialCharacters: specialCharacters}
	})
}

// machineCases returns the machines for which golden files exist.
func machineCases() map[string]renderer.Machine {
	return map[string]renderer.Machine{
		"minimal": minimalMachine(),
		"full":    fullMachine(),
		"no-cloud-init": machine(func(m *renderer.Machine) {
			m.CloudInit = false
		}),
		"cdrom-bootstrap": machine(func(m *renderer.Machine) {
			m.CloudInit = false
			m.BootType = renderer.BootLegacy
			m.Disks = append(m.Disks, renderer.Disk{
				DeviceType: renderer.DeviceCDROM, AdapterType: renderer.AdapterIDE,
				Image: &renderer.Ref{UUID: isoUUID, Name: "talos.iso"},
			})
		}),
		"gpus": machine(func(m *renderer.Machine) {
			m.GPUs = gpus()
		}),
		"several-nics": machine(func(m *renderer.Machine) {
			m.Subnets = []renderer.Ref{
				{UUID: "00000000-0000-4000-8000-000000000013", Name: "storage"},
				{UUID: subnetUUID, Name: "vm-network"},
				{UUID: "00000000-0000-4000-8000-000000000012"},
			}
		}),
		"special-characters": machineWithSpecialCharacters(),
	}
}

// machineCasesV4 returns the machines of machineCases with the inputs of the v4 API.
func machineCasesV4() map[string]renderer.Machine {
	cases := map[string]renderer.Machine{}
	for name, machine := range machineCases() {
		cases[name] = inV4(machine)
	}
	cases["secure-boot"] = machine(func(m *renderer.Machine) {
		m.BootType = renderer.BootSecure
	})
	return cases
}

// inV4 returns a machine with references to categories instead of their keys and values.
func inV4(machine renderer.Machine) renderer.Machine {
	for i, key := range slices.Sorted(maps.Keys(machine.Categories)) {
		uuid := fmt.Sprintf("00000000-0000-4000-8000-0000000000%d", 51+i)
		machine.CategoryRefs = append(machine.CategoryRefs, renderer.Ref{UUID: uuid, Name: key + ": " + machine.Categories[key]})
	}
	machine.Categories = nil
	return machine
}

// backendCases returns settings with the backends for which golden files exist.
func backendCases() map[string]renderer.Settings {
	return map[string]renderer.Settings{
		"backend-local":  backend("local", map[string]string{"path": "/var/lib/state/${name}.tfstate"}),
		"backend-s3":     backend("s3", map[string]string{"bucket": "states", "key": "a/b", "region": "eu-1", "use_lockfile": "true", "assume_role.role_arn": "arn:aws:iam::1:role/states"}),
		"backend-http":   backend("http", map[string]string{"address": "https://state.example.com/x", "retry_max": "5"}),
		"backend-pg":     backend("pg", map[string]string{"schema_name": "worker_1", "skip_schema_creation": "true"}),
		"backend-remote": backend("remote", map[string]string{"hostname": "app.example.com", "organization": "acme", "workspaces.name": "worker-1"}),
		"backend-consul": backend("consul", nil),
	}
}
