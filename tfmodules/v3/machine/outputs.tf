output "vm_uuid" {
  description = "UUID of the virtual machine."
  value       = nutanix_virtual_machine.this.id
}

output "name" {
  description = "Name of the virtual machine."
  value       = nutanix_virtual_machine.this.name
}

output "addresses" {
  description = "Assigned and learned IPv4 and IPv6 addresses in the order of the network interfaces, without duplicates; empty if there are none."
  value = distinct(compact(flatten([
    for nic in try(coalescelist(nutanix_virtual_machine.this.nic_list_status, []), []) : [
      for endpoint in try(coalescelist(nic.ip_endpoint_list, []), []) : try(endpoint.ip, null)
    ]
  ])))
}

output "power_state" {
  description = "Power state of the virtual machine: ON, OFF, PAUSED or SUSPENDED."
  value       = nutanix_virtual_machine.this.power_state
}
