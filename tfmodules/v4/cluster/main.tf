# One resource is one pair of key and value. Prism has no separate keys, so clusters that share a key share nothing else. The provider
# cannot create a pair that exists. Import such a pair. It has no description here, so that the description of an imported pair stays.
resource "nutanix_category_v2" "this" {
  key   = var.category_key
  value = var.category_value
}
