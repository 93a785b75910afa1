variable "category_key" {
  description = "Key of the category that marks the virtual machines of a cluster, for example KubernetesClusterName. All clusters of a Prism Central can share one key."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.category_key) >= 1 && length(var.category_key) <= 64
    error_message = "The category_key must have 1 to 64 characters."
  }
}

variable "category_value" {
  description = "Value of the category for this cluster, usually the name of the cluster."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.category_value) >= 1 && length(var.category_value) <= 64
    error_message = "The category_value must have 1 to 64 characters."
  }
}
