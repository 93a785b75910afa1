# Tests of how the module uses its inputs. They need no Prism Central.

mock_provider "nutanix" {}

variables {
  name                 = "worker-1"
  description          = "default/worker-1 key=1"
  prism_element_uuid   = "00000000-0000-4000-8000-000000000001"
  subnet_uuids         = ["00000000-0000-4000-8000-000000000011", "00000000-0000-4000-8000-000000000012"]
  num_sockets          = 4
  num_vcpus_per_socket = 2
  memory_size_mib      = 8192
  disks = [{
    device_type  = "DISK"
    adapter_type = "SCSI"
    device_index = 0
    size_mib     = 40960
    image_uuid   = "00000000-0000-4000-8000-000000000021"
  }]
}

run "minimal" {
  command = plan

  assert {
    condition     = nutanix_virtual_machine_v2.this.cluster[0].ext_id == var.prism_element_uuid
    error_message = "The machine must run on the Prism Element of the input."
  }

  assert {
    condition     = tolist([for nic in nutanix_virtual_machine_v2.this.nics : nic.nic_network_info[0].virtual_ethernet_nic_network_info[0].subnet[0].ext_id]) == var.subnet_uuids
    error_message = "There must be one interface for each subnet, in the same order."
  }

  assert {
    condition     = nutanix_virtual_machine_v2.this.num_sockets == 4 && nutanix_virtual_machine_v2.this.num_cores_per_socket == 2 && nutanix_virtual_machine_v2.this.memory_size_bytes == 8589934592
    error_message = "The machine must have the size of the input."
  }

  assert {
    condition     = nutanix_virtual_machine_v2.this.disks[0].backing_info[0].vm_disk[0].disk_size_bytes == 42949672960
    error_message = "The system disk must have the size of the input."
  }

  assert {
    condition     = nutanix_virtual_machine_v2.this.disks[0].backing_info[0].vm_disk[0].data_source[0].reference[0].image_reference[0].image_ext_id == "00000000-0000-4000-8000-000000000021"
    error_message = "The system disk must be a copy of the image."
  }

  assert {
    condition     = length(nutanix_virtual_machine_v2.this.gpus) == 0 && length(nutanix_virtual_machine_v2.this.cd_roms) == 0
    error_message = "There must be no GPUs and no CD-ROMs if the inputs have none."
  }

  assert {
    condition     = nutanix_virtual_machine_v2.this.power_state == "ON"
    error_message = "A machine must be switched on by default."
  }
}

run "everything" {
  command = plan

  variables {
    project_uuid = "00000000-0000-4000-8000-000000000031"
    boot_type    = "UEFI"
    categories   = ["00000000-0000-4000-8000-000000000051", "00000000-0000-4000-8000-000000000052"]
    gpus         = [{ vendor = "NVIDIA", mode = "PASSTHROUGH_COMPUTE", device_id = 8757 }]
    disks = [
      { device_type = "DISK", adapter_type = "SCSI", device_index = 0, size_mib = 40960, image_uuid = "00000000-0000-4000-8000-000000000021" },
      { device_type = "CDROM", adapter_type = "IDE", device_index = 1, image_uuid = "00000000-0000-4000-8000-000000000022" },
      { device_type = "CDROM", adapter_type = "SATA", device_index = 0 },
      { device_type = "DISK", adapter_type = "PCI", device_index = 3, size_mib = 1024, storage_container_uuid = "00000000-0000-4000-8000-000000000041", flash_mode = true },
    ]
  }

  assert {
    condition     = nutanix_virtual_machine_v2.this.project[0].ext_id == var.project_uuid
    error_message = "The machine must belong to the project of the input."
  }

  assert {
    condition     = nutanix_virtual_machine_v2.this.boot_config[0].uefi_boot[0].boot_order == tolist(["CDROM", "DISK", "NETWORK"]) && !nutanix_virtual_machine_v2.this.boot_config[0].uefi_boot[0].is_secure_boot_enabled
    error_message = "The machine must boot with UEFI and the boot order of the module, without secure boot."
  }

  assert {
    condition     = toset([for category in nutanix_virtual_machine_v2.this.categories : category.ext_id]) == var.categories
    error_message = "The machine must have exactly the categories of the input."
  }

  assert {
    condition     = nutanix_virtual_machine_v2.this.gpus[0].mode == "PASSTHROUGH_COMPUTE" && nutanix_virtual_machine_v2.this.gpus[0].device_id == 8757 && nutanix_virtual_machine_v2.this.gpus[0].vendor == "NVIDIA"
    error_message = "The machine must have the GPU of the input."
  }

  assert {
    condition     = length(nutanix_virtual_machine_v2.this.disks) == 2 && nutanix_virtual_machine_v2.this.disks[1].disk_address[0].bus_type == "PCI" && nutanix_virtual_machine_v2.this.disks[1].disk_address[0].index == 3
    error_message = "A disk must have the adapter and index of the input."
  }

  assert {
    condition     = nutanix_virtual_machine_v2.this.disks[1].backing_info[0].vm_disk[0].storage_config[0].is_flash_mode_enabled && nutanix_virtual_machine_v2.this.disks[1].backing_info[0].vm_disk[0].storage_container[0].ext_id == "00000000-0000-4000-8000-000000000041"
    error_message = "A disk must have the storage container and the flash mode of the input."
  }

  assert {
    condition     = length(nutanix_virtual_machine_v2.this.cd_roms) == 2 && nutanix_virtual_machine_v2.this.cd_roms[0].disk_address[0].index == 1 && nutanix_virtual_machine_v2.this.cd_roms[0].backing_info[0].data_source[0].reference[0].image_reference[0].image_ext_id == "00000000-0000-4000-8000-000000000022"
    error_message = "A CD-ROM must have the address and the image of the input."
  }
}

run "legacy_boot" {
  command = plan

  variables {
    boot_type = "LEGACY"
  }

  assert {
    condition     = nutanix_virtual_machine_v2.this.boot_config[0].legacy_boot[0].boot_order == tolist(["CDROM", "DISK", "NETWORK"])
    error_message = "The boot order must be set with the boot type."
  }
}

run "secure_boot" {
  command = plan

  variables {
    boot_type = "SECURE_BOOT"
  }

  assert {
    condition     = nutanix_virtual_machine_v2.this.boot_config[0].uefi_boot[0].is_secure_boot_enabled && nutanix_virtual_machine_v2.this.machine_type == "Q35"
    error_message = "Secure boot needs UEFI and machine type Q35."
  }
}

run "cloud_init" {
  command = plan

  variables {
    user_data = "I2Nsb3VkLWNvbmZpZwo="
  }

  assert {
    condition     = nutanix_virtual_machine_v2.this.guest_customization[0].config[0].cloud_init[0].cloud_init_script[0].user_data[0].value == var.user_data
    error_message = "The user data must be passed to cloud-init unchanged."
  }

  assert {
    condition     = jsondecode(base64decode(nutanix_virtual_machine_v2.this.guest_customization[0].config[0].cloud_init[0].metadata)).hostname == "worker-1"
    error_message = "The meta data must contain the host name."
  }

  assert {
    condition     = can(regex("^[0-9a-f-]{36}$", jsondecode(base64decode(nutanix_virtual_machine_v2.this.guest_customization[0].config[0].cloud_init[0].metadata)).uuid))
    error_message = "The meta data must contain the identity of the instance."
  }
}

run "foreign_categories" {
  command = plan

  variables {
    categories         = ["00000000-0000-4000-8000-000000000051"]
    foreign_categories = ["00000000-0000-4000-8000-000000000051", "00000000-0000-4000-8000-000000000053"]
  }

  assert {
    condition     = toset([for category in nutanix_virtual_machine_v2.this.categories : category.ext_id]) == toset(["00000000-0000-4000-8000-000000000051", "00000000-0000-4000-8000-000000000053"])
    error_message = "Categories of others must be kept, and a category in both inputs must be there once."
  }
}

run "observed_power_state" {
  command = plan

  variables {
    power_state = "OFF"
  }

  assert {
    condition     = nutanix_virtual_machine_v2.this.power_state == "OFF"
    error_message = "The power state must be that of the input."
  }
}
