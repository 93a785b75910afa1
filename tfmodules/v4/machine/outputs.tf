locals {
  # Prism Central omits lists that are empty. Older versions show the network of an interface only in network_info. Provider 2.4.2
  # never sets ipv6_info.
  networks = [
    for nic in try(coalescelist(nutanix_virtual_machine_v2.this.nics, []), []) :
    try(nic.nic_network_info[0].virtual_ethernet_nic_network_info[0], nic.network_info[0], null)
  ]
}

output "vm_uuid" {
  description = "UUID of the virtual machine."
  value       = nutanix_virtual_machine_v2.this.id
}

output "name" {
  description = "Name of the virtual machine."
  value       = nutanix_virtual_machine_v2.this.name
}

output "addresses" {
  description = "Assigned and learned IPv4 and IPv6 addresses in the order of the network interfaces, without duplicates; empty if there are none."
  value = distinct(compact(flatten([
    for network in local.networks : [
      try(network.ipv4_config[0].ip_address[*].value, []),
      try(network.ipv4_config[0].secondary_ip_address_list[*].value, []),
      try(network.ipv4_info[0].learned_ip_addresses[*].value, []),
      try(network.ipv6_info[0].learned_ipv6_addresses[*].value, []),
    ]
  ])))
}

output "power_state" {
  description = "Power state of the virtual machine: ON, OFF, PAUSED or UNDETERMINED."
  value       = nutanix_virtual_machine_v2.this.power_state
}
