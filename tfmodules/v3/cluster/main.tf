# Clusters share the key. If the key exists, Prism responds to a create with the existing key. The key is never destroyed,
# because other clusters have values of it. Only `terraform state rm` removes it from this state. It has no description
# here, because several clusters would overwrite it.
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
