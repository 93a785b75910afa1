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
    condition     = nutanix_virtual_machine.this.cluster_uuid == var.prism_element_uuid
    error_message = "The machine must run on the Prism Element of the input."
  }

  assert {
    condition     = nutanix_virtual_machine.this.nic_list[*].subnet_uuid == tolist(var.subnet_uuids)
    error_message = "There must be one interface for each subnet, in the same order."
  }

  assert {
    condition     = nutanix_virtual_machine.this.disk_list[0].disk_size_bytes == 42949672960 && nutanix_virtual_machine.this.disk_list[0].disk_size_mib == 40960
    error_message = "Both sizes of a disk must be set and equal."
  }

  assert {
    condition     = nutanix_virtual_machine.this.disk_list[0].data_source_reference == tomap({ kind = "image", uuid = "00000000-0000-4000-8000-000000000021" })
    error_message = "The system disk must be a copy of the image."
  }

  assert {
    condition     = length(nutanix_virtual_machine.this.gpu_list) == 0 && length(nutanix_virtual_machine.this.categories) == 0
    error_message = "There must be no GPUs and no categories if the inputs have none."
  }
}

run "everything" {
  command = plan

  variables {
    project_uuid = "00000000-0000-4000-8000-000000000031"
    boot_type    = "UEFI"
    categories   = { KubernetesClusterName = "c1", Environment = "Production" }
    gpus         = [{ vendor = "NVIDIA", mode = "PASSTHROUGH_COMPUTE", device_id = 8757 }]
    disks = [
      { device_type = "DISK", adapter_type = "SCSI", device_index = 0, size_mib = 40960, image_uuid = "00000000-0000-4000-8000-000000000021" },
      { device_type = "CDROM", adapter_type = "IDE", device_index = 0, image_uuid = "00000000-0000-4000-8000-000000000022" },
      { device_type = "DISK", adapter_type = "PCI", device_index = 3, size_mib = 1024, storage_container_uuid = "00000000-0000-4000-8000-000000000041", flash_mode = true },
    ]
  }

  assert {
    condition     = nutanix_virtual_machine.this.project_reference == tomap({ kind = "project", uuid = var.project_uuid })
    error_message = "The machine must belong to the project of the input."
  }

  assert {
    condition     = nutanix_virtual_machine.this.boot_type == "UEFI" && nutanix_virtual_machine.this.boot_device_order_list == tolist(["CDROM", "DISK", "NETWORK"])
    error_message = "The boot order must be set with the boot type."
  }

  assert {
    condition     = { for category in nutanix_virtual_machine.this.categories : category.name => category.value } == { for key, value in var.categories : key => value }
    error_message = "The machine must have exactly the categories of the input."
  }

  assert {
    condition     = nutanix_virtual_machine.this.gpu_list[0].mode == "PASSTHROUGH_COMPUTE" && nutanix_virtual_machine.this.gpu_list[0].device_id == 8757
    error_message = "The machine must have the GPU of the input."
  }

  assert {
    condition     = nutanix_virtual_machine.this.disk_list[2].device_properties[0].disk_address == tomap({ adapter_type = "PCI", device_index = "3" })
    error_message = "A disk must have the adapter and index of the input."
  }

  assert {
    condition     = nutanix_virtual_machine.this.disk_list[2].storage_config[0].flash_mode == "ENABLED" && nutanix_virtual_machine.this.disk_list[2].storage_config[0].storage_container_reference[0].uuid == "00000000-0000-4000-8000-000000000041"
    error_message = "A disk must have the storage container and the flash mode of the input."
  }
}

run "cloud_init" {
  command = plan

  variables {
    user_data = "I2Nsb3VkLWNvbmZpZwo="
  }

  assert {
    condition     = nutanix_virtual_machine.this.guest_customization_cloud_init_user_data == var.user_data
    error_message = "The user data must be passed to cloud-init unchanged."
  }

  assert {
    condition     = jsondecode(base64decode(nutanix_virtual_machine.this.guest_customization_cloud_init_meta_data)).hostname == "worker-1"
    error_message = "The meta data must contain the host name."
  }

  assert {
    condition     = can(regex("^[0-9a-f-]{36}$", jsondecode(base64decode(nutanix_virtual_machine.this.guest_customization_cloud_init_meta_data)).uuid))
    error_message = "The meta data must contain the identity of the instance."
  }
}

run "cloud_init_beside_a_cdrom" {
  command = plan

  variables {
    user_data = "I2Nsb3VkLWNvbmZpZwo="
    disks = [
      { device_type = "DISK", adapter_type = "SCSI", device_index = 0, size_mib = 40960 },
      { device_type = "CDROM", adapter_type = "SATA", device_index = 0, image_uuid = "00000000-0000-4000-8000-000000000022" },
    ]
  }

  assert {
    condition     = nutanix_virtual_machine.this.cloud_init_cdrom_uuid == "00000000-0000-0000-0000-000000000000"
    error_message = "The provider must not search for the CD-ROM of cloud-init in var.disks."
  }
}

run "foreign_categories" {
  command = plan

  variables {
    categories         = { KubernetesClusterName = "c1", Environment = "Production" }
    foreign_categories = { CostCenter = "42", Environment = "Development" }
  }

  assert {
    condition     = { for category in nutanix_virtual_machine.this.categories : category.name => category.value } == { CostCenter = "42", Environment = "Production", KubernetesClusterName = "c1" }
    error_message = "Categories of others must be kept, and the machine's own value must be used for a key in both."
  }
}
