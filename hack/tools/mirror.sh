#!/bin/sh
# Adds a version of the nutanix provider to an unpacked Terraform filesystem mirror, and its dependency lock file to the directory of
# the version. With stand-in, a file in the package says that the binary is not the provider, so that no image is built with it.
# Usage: mirror.sh MIRROR PROVIDER_BINARY VERSION TERRAFORM [stand-in]
set -eu
mirror=$1 provider=$2 version=$3 terraform=$4

platform=$(go env GOOS)_$(go env GOARCH)
package=$mirror/registry.terraform.io/nutanix/nutanix/$version
rm -rf "$package"
mkdir -p "$package/$platform"
cp "$provider" "$package/$platform/terraform-provider-nutanix_v$version"
test -z "${5:-}" || echo "This is not the nutanix provider: it is a stand-in for tests." >"$package/$platform/STAND-IN"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/main.tf" <<HCL
terraform {
  required_providers {
    nutanix = {
      source  = "registry.terraform.io/nutanix/nutanix"
      version = "= $version"
    }
  }
}
HCL
cat >"$work/cli.tfrc" <<HCL
disable_checkpoint = true
provider_installation {
  filesystem_mirror {
    path = "$mirror"
  }
}
HCL
TF_CLI_CONFIG_FILE=$work/cli.tfrc CHECKPOINT_DISABLE=1 "$terraform" -chdir="$work" init -input=false -no-color >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
cp "$work/.terraform.lock.hcl" "$package/.terraform.lock.hcl"
