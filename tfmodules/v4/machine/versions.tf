terraform {
  # The tests of this module need mock_provider, which Terraform has since 1.7.
  required_version = ">= 1.7.0"

  required_providers {
    nutanix = {
      source  = "registry.terraform.io/nutanix/nutanix"
      version = ">= 2.4.0, < 3.0.0"
    }
  }
}
