output "category_key" {
  description = "Key of the category that marks the virtual machines of the cluster."
  value       = nutanix_category_v2.this.key
}

output "category_value" {
  description = "Value of the category for the cluster."
  value       = nutanix_category_v2.this.value
}

output "category_uuid" {
  description = "UUID of the category. Virtual machines refer to the category by this UUID."
  value       = nutanix_category_v2.this.id
}

output "control_plane_category_uuid" {
  description = "UUID of the category for the control plane machines, or null."
  value       = one(nutanix_category_v2.control_plane[*].id)
}
