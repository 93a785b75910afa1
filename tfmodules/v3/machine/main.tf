locals {
  # The bootstrap data is secret. Whether there is any is not secret.
  cloud_init = nonsensitive(var.user_data != null)

  # cloud-init reads these values from the config drive. It uses uuid as the identity of the instance.
  meta_data = jsonencode({
    hostname = var.name
    uuid     = uuidv5("dns", var.name)
  })

  # The provider searches all CD-ROMs for the one that Prism adds for cloud-init. If there is a CD-ROM in var.disks, the
  # provider takes it for that one; if there are two, it refuses the plan ("more than 1 unknown cd-rom device"). Any UUID
  # here turns the search off.
  no_cdrom      = "00000000-0000-0000-0000-000000000000"
  has_own_cdrom = anytrue([for disk in var.disks : disk.device_type == "CDROM"])
}

resource "nutanix_virtual_machine" "this" {
  name         = var.name
  description  = var.description
  cluster_uuid = var.prism_element_uuid

  num_sockets             = var.num_sockets
  num_vcpus_per_socket    = var.num_vcpus_per_socket
  memory_size_mib         = var.memory_size_mib
  hardware_clock_timezone = "UTC"

  # Do not set boot_device_disk_address: with it every update power-cycles the machine, and the second update crashes the
  # provider.
  boot_type              = var.boot_type
  boot_device_order_list = var.boot_type == null ? null : ["CDROM", "DISK", "NETWORK"]

  project_reference = var.project_uuid == null ? null : {
    kind = "project"
    uuid = var.project_uuid
  }

  guest_customization_cloud_init_user_data = var.user_data
  guest_customization_cloud_init_meta_data = local.cloud_init ? base64encode(local.meta_data) : null
  cloud_init_cdrom_uuid                    = local.cloud_init && local.has_own_cdrom ? local.no_cdrom : null

  dynamic "categories" {
    for_each = merge(var.foreign_categories, var.categories)

    content {
      name  = categories.key
      value = categories.value
    }
  }

  dynamic "nic_list" {
    for_each = var.subnet_uuids

    content {
      subnet_uuid = nic_list.value
    }
  }

  dynamic "disk_list" {
    for_each = var.disks

    content {
      # Prism requires both sizes, and they must be equal.
      disk_size_mib   = disk_list.value.size_mib
      disk_size_bytes = disk_list.value.size_mib == null ? null : disk_list.value.size_mib * 1024 * 1024

      data_source_reference = disk_list.value.image_uuid == null ? null : {
        kind = "image"
        uuid = disk_list.value.image_uuid
      }

      device_properties {
        device_type = disk_list.value.device_type

        disk_address = {
          adapter_type = disk_list.value.adapter_type
          device_index = tostring(disk_list.value.device_index)
        }
      }

      dynamic "storage_config" {
        for_each = disk_list.value.storage_container_uuid == null ? [] : [disk_list.value]

        content {
          flash_mode = storage_config.value.flash_mode ? "ENABLED" : null

          storage_container_reference {
            kind = "storage_container"
            uuid = storage_config.value.storage_container_uuid
          }
        }
      }
    }
  }

  dynamic "gpu_list" {
    for_each = var.gpus

    content {
      vendor    = gpu_list.value.vendor
      mode      = gpu_list.value.mode
      device_id = gpu_list.value.device_id
    }
  }

  lifecycle {
    ignore_changes = [
      # Used only for the first boot. A change would replace the machine, and Prism does not always return these attributes.
      boot_type,
      boot_device_order_list,
      hardware_clock_timezone,
      guest_customization_cloud_init_user_data,
      guest_customization_cloud_init_meta_data,
      guest_customization_cloud_init_custom_key_values,
      guest_customization_is_overridable,
      guest_customization_sysprep,
      guest_customization_sysprep_custom_key_values,

      # Contain volumes that the CSI driver attached and the CD-ROM of cloud-init, which must stay.
      disk_list,
      cloud_init_cdrom_uuid,

      # Adding an interface crashes the provider. Prism adds addresses and changes the order of interfaces.
      nic_list,

      # Prism adds the name of the project, which can change.
      project_reference,

      # Only the state of an imported machine has it, as an empty block.
      timeouts,
    ]
  }
}
