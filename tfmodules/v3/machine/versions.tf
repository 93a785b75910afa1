terraform {
  # 1.7 brought mock_provider, which the tests of this module need.
  required_version = ">= 1.7.0"

  required_providers {
    nutanix = {
      source  = "registry.terraform.io/nutanix/nutanix"
      version = ">= 1.9.5, < 3.0.0"
    }
  }
}
