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

variable "control_plane_category" {
  description = "Category for the control plane machines alone. The value must be unique in Prism Central. If it is null, there is no such category."
  type = object({
    key   = string
    value = string
  })
  default = null

  validation {
    condition = var.control_plane_category == null ? true : alltrue([
      for part in values(var.control_plane_category) : length(part) >= 1 && length(part) <= 64
    ])
    error_message = "The key and the value of control_plane_category must have 1 to 64 characters."
  }
}

variable "control_plane_anti_affinity" {
  description = "Whether a policy keeps the virtual machines with the control_plane_category on different hosts. The policy has the name of the value of that category."
  type        = bool
  default     = false
  nullable    = false
}
