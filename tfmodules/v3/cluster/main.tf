# The key is shared between clusters: Prism answers a second "create" with the key that exists. For the same reason it is
# never destroyed: other clusters hang their values on it. It leaves this state through `terraform state rm` only. It
# has no description here, because two clusters would overwrite each other's.
resource "nutanix_category_key" "this" {
  name = var.category_key

  lifecycle {
    prevent_destroy = true
  }
}

resource "nutanix_category_value" "this" {
  name  = nutanix_category_key.this.name
  value = var.category_value
}
