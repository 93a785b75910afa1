# Invalid inputs are refused by name, before a request is sent to Prism.

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

run "empty_name" {
  command = plan
  variables {
    name = ""
  }
  expect_failures = [var.name]
}

run "names_instead_of_uuids" {
  command = plan
  variables {
    prism_element_uuid = "pe1"
    project_uuid       = "project1"
    subnet_uuids       = ["vm-network"]
  }
  expect_failures = [var.prism_element_uuid, var.project_uuid, var.subnet_uuids]
}

run "no_subnet" {
  command = plan
  variables {
    subnet_uuids = []
  }
  expect_failures = [var.subnet_uuids]
}

run "no_size" {
  command = plan
  variables {
    num_sockets          = 0
    num_vcpus_per_socket = 0.5
    memory_size_mib      = -1
  }
  expect_failures = [var.num_sockets, var.num_vcpus_per_socket, var.memory_size_mib]
}

run "unknown_boot_type" {
  command = plan
  variables {
    boot_type = "BIOS"
  }
  expect_failures = [var.boot_type]
}

run "no_disk" {
  command = plan
  variables {
    disks = []
  }
  expect_failures = [var.disks]
}

run "two_disks_at_one_place" {
  command = plan
  variables {
    disks = [
      { device_type = "DISK", adapter_type = "SCSI", device_index = 0, size_mib = 40960 },
      { device_type = "DISK", adapter_type = "SCSI", device_index = 0, size_mib = 1024 },
    ]
  }
  expect_failures = [var.disks]
}

run "disk_of_no_size" {
  command = plan
  variables {
    disks = [{ device_type = "DISK", adapter_type = "SCSI", device_index = 0 }]
  }
  expect_failures = [var.disks]
}

run "flash_mode_without_container" {
  command = plan
  variables {
    disks = [{ device_type = "DISK", adapter_type = "SCSI", device_index = 0, size_mib = 40960, flash_mode = true }]
  }
  expect_failures = [var.disks]
}

run "unknown_gpu_mode" {
  command = plan
  variables {
    gpus = [{ vendor = "NVIDIA", mode = "SHARED", device_id = 1 }]
  }
  expect_failures = [var.gpus]
}

run "user_data_in_the_clear" {
  command = plan
  variables {
    user_data = "#cloud-config"
  }
  expect_failures = [var.user_data]
}

run "category_by_name" {
  command = plan
  variables {
    categories = ["Environment: Production"]
  }
  expect_failures = [var.categories]
}

run "foreign_category_by_name" {
  command = plan
  variables {
    foreign_categories = ["CostCenter: 42"]
  }
  expect_failures = [var.foreign_categories]
}

run "unknown_power_state" {
  command = plan
  variables {
    power_state = "UNKNOWN"
  }
  expect_failures = [var.power_state]
}
