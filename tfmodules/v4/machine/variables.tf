variable "name" {
  description = "Name of the virtual machine, and its host name if cloud-init is used."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.name) > 0
    error_message = "The name must not be empty."
  }
}

variable "description" {
  description = "Description of the virtual machine. It contains the mark that identifies the owner of the virtual machine."
  type        = string
  nullable    = false
  default     = ""
}

variable "prism_element_uuid" {
  description = "UUID of the Prism Element (AOS cluster) that runs the virtual machine."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", var.prism_element_uuid))
    error_message = "The prism_element_uuid must be a UUID."
  }
}

variable "project_uuid" {
  description = "UUID of the Prism project that owns the virtual machine; null means the default project."
  type        = string
  default     = null

  validation {
    condition     = var.project_uuid == null || can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", var.project_uuid))
    error_message = "The project_uuid must be a UUID."
  }
}

variable "subnet_uuids" {
  description = "UUIDs of the subnets. The virtual machine has one network interface for each, in this order."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_uuids) > 0
    error_message = "At least one subnet is needed, because a virtual machine without an address cannot become a node."
  }

  validation {
    condition     = alltrue([for uuid in var.subnet_uuids : can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", uuid))])
    error_message = "Every entry of subnet_uuids must be a UUID."
  }
}

variable "num_sockets" {
  description = "Number of virtual CPU sockets."
  type        = number
  nullable    = false

  validation {
    condition     = var.num_sockets >= 1 && floor(var.num_sockets) == var.num_sockets
    error_message = "The num_sockets must be a whole number, at least 1."
  }
}

variable "num_vcpus_per_socket" {
  description = "Number of virtual CPUs of each socket."
  type        = number
  nullable    = false

  validation {
    condition     = var.num_vcpus_per_socket >= 1 && floor(var.num_vcpus_per_socket) == var.num_vcpus_per_socket
    error_message = "The num_vcpus_per_socket must be a whole number, at least 1."
  }
}

variable "memory_size_mib" {
  description = "Memory in MiB."
  type        = number
  nullable    = false

  validation {
    condition     = var.memory_size_mib >= 1 && floor(var.memory_size_mib) == var.memory_size_mib
    error_message = "The memory_size_mib must be a whole number, at least 1."
  }
}

variable "boot_type" {
  description = "Firmware: LEGACY, UEFI or SECURE_BOOT. The boot order is then CD-ROM, disk, network. With null Prism chooses firmware and boot order."
  type        = string
  default     = null

  validation {
    condition     = var.boot_type == null || contains(["LEGACY", "UEFI", "SECURE_BOOT"], coalesce(var.boot_type, "LEGACY"))
    error_message = "The boot_type must be LEGACY, UEFI or SECURE_BOOT."
  }
}

variable "power_state" {
  description = "Power state of the virtual machine: ON, OFF, PAUSED or UNDETERMINED. Another value than the present state switches the virtual machine."
  type        = string
  nullable    = false
  default     = "ON"

  validation {
    condition     = contains(["ON", "OFF", "PAUSED", "UNDETERMINED"], var.power_state)
    error_message = "The power_state must be ON, OFF, PAUSED or UNDETERMINED."
  }
}

variable "disks" {
  description = <<-EOT
    Disks and CD-ROMs. The first one is the system disk. device_type is DISK or CDROM; adapter_type is SCSI, IDE, PCI or
    SATA; device_index is the index on that adapter. If size_mib is null, a disk has the size of its image. flash_mode
    needs storage_container_uuid.
  EOT
  type = list(object({
    device_type            = string
    adapter_type           = string
    device_index           = number
    size_mib               = optional(number)
    image_uuid             = optional(string)
    storage_container_uuid = optional(string)
    flash_mode             = optional(bool, false)
  }))
  nullable = false

  validation {
    condition     = length(var.disks) > 0
    error_message = "At least one disk is needed: the system disk."
  }

  validation {
    condition     = alltrue([for disk in var.disks : contains(["DISK", "CDROM"], disk.device_type) && contains(["SCSI", "IDE", "PCI", "SATA"], disk.adapter_type)])
    error_message = "Every disk needs device_type DISK or CDROM and adapter_type SCSI, IDE, PCI or SATA."
  }

  validation {
    condition     = length(distinct([for disk in var.disks : "${disk.adapter_type}.${disk.device_index}"])) == length(var.disks)
    error_message = "No two disks may have the same adapter_type and device_index."
  }

  validation {
    condition     = alltrue([for disk in var.disks : disk.device_type == "CDROM" || disk.size_mib != null || disk.image_uuid != null])
    error_message = "Every disk needs a size_mib or an image_uuid."
  }

  validation {
    # Without a storage container the provider crashes ("index out of range").
    condition     = alltrue([for disk in var.disks : !disk.flash_mode || disk.storage_container_uuid != null])
    error_message = "A disk with flash_mode needs a storage_container_uuid."
  }
}

variable "gpus" {
  description = "GPUs: vendor is NVIDIA, AMD or INTEL; mode is PASSTHROUGH_GRAPHICS, PASSTHROUGH_COMPUTE or VIRTUAL."
  type = list(object({
    vendor    = string
    mode      = string
    device_id = number
  }))
  nullable = false
  default  = []

  validation {
    condition     = alltrue([for gpu in var.gpus : contains(["PASSTHROUGH_GRAPHICS", "PASSTHROUGH_COMPUTE", "VIRTUAL"], gpu.mode)])
    error_message = "Every GPU needs mode PASSTHROUGH_GRAPHICS, PASSTHROUGH_COMPUTE or VIRTUAL."
  }
}

variable "categories" {
  description = "UUIDs of the categories of the virtual machine. The virtual machine can have several values of one key."
  type        = set(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for uuid in var.categories : can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", uuid))])
    error_message = "Every entry of categories must be a UUID."
  }
}

variable "foreign_categories" {
  description = "UUIDs of the categories that others put on the virtual machine and that must stay."
  type        = set(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for uuid in var.foreign_categories : can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", uuid))])
    error_message = "Every entry of foreign_categories must be a UUID."
  }
}

variable "user_data" {
  description = "Bootstrap data for cloud-init in base64. It is used only when the virtual machine is created; null means no cloud-init."
  type        = string
  sensitive   = true
  default     = null

  validation {
    condition     = var.user_data == null || can(regex("^[A-Za-z0-9+/]*={0,2}$", var.user_data))
    error_message = "The user_data must be base64."
  }
}
