# The output has assigned and learned IPv4 and IPv6 addresses in the order of the interfaces, without duplicates.

mock_provider "nutanix" {
  mock_resource "nutanix_virtual_machine" {
    defaults = {
      # OpenTofu requires complete objects.
      nic_list_status = [
        { ip_endpoint_list = [{ ip = "10.1.0.12", type = "ASSIGNED" }, { ip = "fd00::12", type = "LEARNED" }, { ip = "10.1.0.12", type = "LEARNED" }], floating_ip = "", is_connected = "true", mac_address = "", model = "", network_function_chain_reference = {}, network_function_nic_type = "", nic_type = "", num_queues = 0, subnet_name = "", subnet_uuid = "", uuid = "" },
        { ip_endpoint_list = [], floating_ip = "", is_connected = "true", mac_address = "", model = "", network_function_chain_reference = {}, network_function_nic_type = "", nic_type = "", num_queues = 0, subnet_name = "", subnet_uuid = "", uuid = "" },
        { ip_endpoint_list = [{ ip = "10.2.0.12", type = "ASSIGNED" }, { ip = "", type = "LEARNED" }], floating_ip = "", is_connected = "true", mac_address = "", model = "", network_function_chain_reference = {}, network_function_nic_type = "", nic_type = "", num_queues = 0, subnet_name = "", subnet_uuid = "", uuid = "" },
      ]
    }
  }
}

variables {
  name                 = "worker-1"
  prism_element_uuid   = "00000000-0000-4000-8000-000000000001"
  subnet_uuids         = ["00000000-0000-4000-8000-000000000011"]
  num_sockets          = 1
  num_vcpus_per_socket = 1
  memory_size_mib      = 2048
  disks                = [{ device_type = "DISK", adapter_type = "SCSI", device_index = 0, size_mib = 40960 }]
}

run "several_interfaces" {
  assert {
    condition     = jsonencode(output.addresses) == jsonencode(["10.1.0.12", "fd00::12", "10.2.0.12"])
    error_message = "Got ${jsonencode(output.addresses)}."
  }
}
