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

run "no_interface_reported" {
  override_resource {
    target = nutanix_virtual_machine.this
    values = {
      id              = "00000000-0000-4000-8000-0000000000aa"
      power_state     = "ON"
      nic_list_status = []
    }
  }

  assert {
    condition     = output.vm_uuid == "00000000-0000-4000-8000-0000000000aa" && output.name == "worker-1" && output.power_state == "ON"
    error_message = "The outputs must show the machine as Prism reports it."
  }

  assert {
    condition     = length(output.addresses) == 0
    error_message = "Without an interface there must be no address and no error."
  }
}

run "update_keeps_what_was_used_once" {
  variables {
    description  = "another"
    boot_type    = "UEFI"
    subnet_uuids = ["00000000-0000-4000-8000-000000000012"]
    user_data    = "I2Nsb3VkLWNvbmZpZwo="
    disks        = [{ device_type = "DISK", adapter_type = "SCSI", device_index = 0, size_mib = 1024 }]
  }

  assert {
    condition     = nutanix_virtual_machine.this.description == "another"
    error_message = "The description must be that of the changed input."
  }

  assert {
    condition     = nutanix_virtual_machine.this.boot_type != "UEFI" && nutanix_virtual_machine.this.disk_list[0].disk_size_mib == 40960
    error_message = "Inputs for the creation only must not change an existing machine."
  }

  assert {
    condition     = nutanix_virtual_machine.this.nic_list[0].subnet_uuid == "00000000-0000-4000-8000-000000000011"
    error_message = "The interfaces of an existing machine must stay."
  }
}
