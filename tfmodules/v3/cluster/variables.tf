variable "category_key" {
  description = "Key of the category that marks the virtual machines of a cluster, for example KubernetesClusterName. The key is shared: every cluster of a Prism Central may use the same one."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.category_key) >= 1 && length(var.category_key) <= 64
    error_message = "The category_key must have 1 to 64 characters."
  }
}

variable "category_value" {
  description = "Value of that category for this cluster, usually the name of the cluster."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.category_value) >= 1 && length(var.category_value) <= 64
    error_message = "The category_value must have 1 to 64 characters."
  }
}
