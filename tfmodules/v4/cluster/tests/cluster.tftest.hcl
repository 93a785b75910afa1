# These tests need no Prism Central. They only plan.

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
