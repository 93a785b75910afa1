# These tests need no Prism Central, because the provider is mocked.

mock_provider "nutanix" {}

variables {
  category_key   = "KubernetesClusterName"
  category_value = "my-cluster"
}

run "category" {
  command = plan

  assert {
    condition     = nutanix_category_v2.this.key == "KubernetesClusterName"
    error_message = "The key must be the given one."
  }

  assert {
    condition     = nutanix_category_v2.this.key == "KubernetesClusterName" && nutanix_category_v2.this.value == "my-cluster"
    error_message = "The value must be the given one."
  }

  assert {
    condition     = output.category_key == "KubernetesClusterName" && output.category_value == "my-cluster"
    error_message = "The outputs must show the category."
  }
}

run "no_policy" {
  command = plan

  assert {
    condition     = length(nutanix_category_v2.control_plane) == 0 && length(nutanix_vm_anti_affinity_policy_v2.control_plane) == 0
    error_message = "Without control_plane_category there must be no further category and no policy."
  }

  assert {
    condition     = output.control_plane_category_uuid == null
    error_message = "The output must be null without the category."
  }
}

run "policy" {
  command = apply
  variables {
    control_plane_category      = { key = "KubernetesClusterControlPlane", value = "my-cluster-1a2b3c4d" }
    control_plane_anti_affinity = true
  }

  assert {
    condition     = nutanix_category_v2.control_plane[0].key == "KubernetesClusterControlPlane" && nutanix_category_v2.control_plane[0].value == "my-cluster-1a2b3c4d"
    error_message = "The category must be the given one."
  }

  assert {
    condition     = nutanix_vm_anti_affinity_policy_v2.control_plane[0].name == "my-cluster-1a2b3c4d"
    error_message = "The policy must have the name of the category."
  }

  assert {
    condition     = nutanix_vm_anti_affinity_policy_v2.control_plane[0].categories == toset([output.control_plane_category_uuid])
    error_message = "The policy must apply to the category alone."
  }
}

run "category_without_policy" {
  command = apply
  variables {
    control_plane_category = { key = "KubernetesClusterControlPlane", value = "my-cluster-1a2b3c4d" }
  }

  assert {
    condition     = length(nutanix_category_v2.control_plane) == 1 && length(nutanix_vm_anti_affinity_policy_v2.control_plane) == 0
    error_message = "The category must stay without the policy."
  }
}

run "control_plane_value_too_long" {
  command = plan
  variables {
    control_plane_category = { key = "KubernetesClusterControlPlane", value = "a2345678901234567890123456789012345678901234567890123456789012345" }
  }
  expect_failures = [var.control_plane_category]
}

run "empty_key" {
  command = plan
  variables {
    category_key = ""
  }
  expect_failures = [var.category_key]
}

run "value_too_long" {
  command = plan
  variables {
    category_value = "a2345678901234567890123456789012345678901234567890123456789012345"
  }
  expect_failures = [var.category_value]
}
