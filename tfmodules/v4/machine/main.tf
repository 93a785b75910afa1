locals {
  # The bootstrap data is secret. Whether there is any is not secret.
  cloud_init = nonsensitive(var.user_data != null)

  # cloud-init reads these values from the config drive. It uses uuid as the identity of the instance.
  meta_data = jsonencode({
    hostname = var.name
    uuid     = uuidv5("dns", var.name)
  })

  disks   = [for disk in var.disks : disk if disk.device_type == "DISK"]
  cd_roms = [for disk in var.disks : disk if disk.device_type == "CDROM"]

  boot_order = ["CDROM", "DISK", "NETWORK"]
}

resource "nutanix_virtual_machine_v2" "this" {
  name        = var.name
  description = var.description
  power_state = var.power_state

  num_sockets             = var.num_sockets
  num_cores_per_socket    = var.num_vcpus_per_socket
  memory_size_bytes       = var.memory_size_mib * 1024 * 1024
  hardware_clock_timezone = "UTC"

  # AHV supports secure boot only on this machine type.
  machine_type = var.boot_type == "SECURE_BOOT" ? "Q35" : null

  cluster {
    ext_id = var.prism_element_uuid
  }

  dynamic "project" {
    for_each = var.project_uuid == null ? [] : [var.project_uuid]

    content {
      ext_id = project.value
    }
  }

  dynamic "categories" {
    for_each = setunion(var.categories, var.foreign_categories)

    content {
      ext_id = categories.value
    }
  }

  dynamic "boot_config" {
    for_each = var.boot_type == null ? [] : [var.boot_type]

    content {
      dynamic "legacy_boot" {
        for_each = boot_config.value == "LEGACY" ? [local.boot_order] : []

        content {
          boot_order = legacy_boot.value
        }
      }

      dynamic "uefi_boot" {
        for_each = boot_config.value == "LEGACY" ? [] : [local.boot_order]

        content {
          is_secure_boot_enabled = boot_config.value == "SECURE_BOOT"
          boot_order             = uefi_boot.value
        }
      }
    }
  }

  dynamic "nics" {
    for_each = var.subnet_uuids

    content {
      nic_network_info {
        virtual_ethernet_nic_network_info {
          nic_type = "NORMAL_NIC"

          subnet {
            ext_id = nics.value
          }
        }
      }
    }
  }

  dynamic "disks" {
    for_each = local.disks

    content {
      disk_address {
        bus_type = disks.value.adapter_type
        index    = disks.value.device_index
      }

      backing_info {
        vm_disk {
          disk_size_bytes = disks.value.size_mib == null ? null : disks.value.size_mib * 1024 * 1024

          dynamic "data_source" {
            for_each = disks.value.image_uuid == null ? [] : [disks.value.image_uuid]

            content {
              reference {
                image_reference {
                  image_ext_id = data_source.value
                }
              }
            }
          }

          dynamic "storage_container" {
            for_each = disks.value.storage_container_uuid == null ? [] : [disks.value.storage_container_uuid]

            content {
              ext_id = storage_container.value
            }
          }

          dynamic "storage_config" {
            for_each = disks.value.flash_mode ? [true] : []

            content {
              is_flash_mode_enabled = storage_config.value
            }
          }
        }
      }
    }
  }

  dynamic "cd_roms" {
    for_each = local.cd_roms

    content {
      disk_address {
        bus_type = cd_roms.value.adapter_type
        index    = cd_roms.value.device_index
      }

      # A CD-ROM without a backing is an empty drive.
      dynamic "backing_info" {
        for_each = cd_roms.value.image_uuid == null && cd_roms.value.size_mib == null ? [] : [cd_roms.value]

        content {
          disk_size_bytes = backing_info.value.size_mib == null ? null : backing_info.value.size_mib * 1024 * 1024

          dynamic "data_source" {
            for_each = backing_info.value.image_uuid == null ? [] : [backing_info.value.image_uuid]

            content {
              reference {
                image_reference {
                  image_ext_id = data_source.value
                }
              }
            }
          }

          dynamic "storage_container" {
            for_each = backing_info.value.storage_container_uuid == null ? [] : [backing_info.value.storage_container_uuid]

            content {
              ext_id = storage_container.value
            }
          }
        }
      }
    }
  }

  dynamic "gpus" {
    for_each = var.gpus

    content {
      vendor    = gpus.value.vendor
      mode      = gpus.value.mode
      device_id = gpus.value.device_id
    }
  }

  dynamic "guest_customization" {
    for_each = local.cloud_init ? [true] : []

    content {
      config {
        cloud_init {
          datasource_type = "CONFIG_DRIVE_V2"
          metadata        = base64encode(local.meta_data)

          cloud_init_script {
            user_data {
              value = var.user_data
            }
          }
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [
      # Used only for the first boot. Prism Central does not return guest_customization, and a change of it replaces the machine or
      # switches it off.
      guest_customization,
      boot_config,
      machine_type,
      hardware_clock_timezone,

      # An absent block means removal. These lists contain volumes that the CSI driver attached, the CD-ROM of cloud-init, interfaces and
      # GPUs that others added, and guest tools that others installed. All of them must stay.
      disks,
      cd_roms,
      nics,
      gpus,
      guest_tools,

      # The provider sends the project only with the create request.
      project,
    ]
  }
}
