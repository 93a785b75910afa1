# The key is shared between clusters: Prism answers a second "create" by returning the key that exists. For the same
# reason nobody may destroy it, because other clusters hang their values on it. It leaves this state only through
# `terraform state rm`.
resource "nutanix_category_key" "this" {
  name = var.category_key

  lifecycle {
    prevent_destroy = true
    # A shared key belongs to whoever described it first.
    ignore_changes = [description]
  }
}

resource "nutanix_category_value" "this" {
  name  = nutanix_category_key.this.name
  value = var.category_value

  lifecycle {
    ignore_changes = [description]
  }
}
