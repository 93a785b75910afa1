output "category_key" {
  description = "Key of the category that marks the virtual machines of the cluster."
  value       = nutanix_category_value.this.name
}

output "category_value" {
  description = "Value of the category for the cluster."
  value       = nutanix_category_value.this.value
}
