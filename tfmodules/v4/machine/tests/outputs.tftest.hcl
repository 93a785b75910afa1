# Tests of the outputs for responses of Prism.

mock_provider "nutanix" {}

variables {
  name                 = "worker-1"
  prism_element_uuid   = "00000000-0000-4000-8000-000000000001"
  subnet_uuids         = ["00000000-0000-4000-8000-000000000011"]
  num_sockets          = 1
  num_vcpus_per_socket = 1
  memory_size_mib      = 2048
  disks                = [{ device_type = "DISK", adapter_type = "SCSI", device_index = 0, size_mib = 40960 }]
}

run "no_address_reported" {
  override_resource {
    target = nutanix_virtual_machine_v2.this
    values = {
      id = "00000000-0000-4000-8000-0000000000aa"
    }
  }

  assert {
    condition     = output.vm_uuid == "00000000-0000-4000-8000-0000000000aa" && output.name == "worker-1" && output.power_state == "ON"
    error_message = "The outputs must show the machine as Prism reports it."
  }

  assert {
    condition     = length(output.addresses) == 0
    error_message = "Without an address the output must be empty, and there must be no error."
  }
}

run "update_keeps_what_was_used_once" {
  variables {
    description  = "another"
    boot_type    = "UEFI"
    subnet_uuids = ["00000000-0000-4000-8000-000000000012"]
    user_data    = "I2Nsb3VkLWNvbmZpZwo="
    gpus         = [{ vendor = "NVIDIA", mode = "PASSTHROUGH_COMPUTE", device_id = 8757 }]
    disks = [
      { device_type = "DISK", adapter_type = "SCSI", device_index = 0, size_mib = 1024 },
      { device_type = "CDROM", adapter_type = "IDE", device_index = 0, size_mib = 1 },
    ]
  }

  assert {
    condition     = nutanix_virtual_machine_v2.this.description == "another"
    error_message = "The description must be that of the changed input."
  }

  assert {
    condition     = nutanix_virtual_machine_v2.this.disks[0].backing_info[0].vm_disk[0].disk_size_bytes == 42949672960 && length(nutanix_virtual_machine_v2.this.cd_roms) == 0
    error_message = "The disks and CD-ROMs of an existing machine must stay."
  }

  assert {
    condition     = nutanix_virtual_machine_v2.this.nics[0].nic_network_info[0].virtual_ethernet_nic_network_info[0].subnet[0].ext_id == "00000000-0000-4000-8000-000000000011"
    error_message = "The interfaces of an existing machine must stay."
  }

  assert {
    condition     = length(nutanix_virtual_machine_v2.this.gpus) == 0
    error_message = "The GPUs of an existing machine must stay."
  }
}
