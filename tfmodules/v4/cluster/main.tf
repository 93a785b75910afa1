# One resource is one pair of key and value. Prism has no separate keys, so clusters that share a key share nothing else. The provider
# cannot create a pair that exists. Import such a pair. It has no description here, so that the description of an imported pair stays.
resource "nutanix_category_v2" "this" {
  key   = var.category_key
  value = var.category_value
}

# This category marks the control plane machines. It is a resource of its own, because it has to exist as long as machines have it, also
# after the policy is gone.
resource "nutanix_category_v2" "control_plane" {
  count = var.control_plane_category == null ? 0 : 1

  key   = var.control_plane_category.key
  value = var.control_plane_category.value
}

# Prism Central refuses to delete a category that a policy uses. The reference makes Terraform delete the policy first.
resource "nutanix_vm_anti_affinity_policy_v2" "control_plane" {
  count = var.control_plane_anti_affinity ? 1 : 0

  name        = var.control_plane_category.value
  description = "Keeps the control plane machines of Kubernetes cluster ${var.category_value} on different hosts."
  categories  = nutanix_category_v2.control_plane[*].id
}
