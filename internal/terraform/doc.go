// Package terraform runs the command line of Terraform or OpenTofu. Its inputs and outputs are directories, bytes and environments, not
// custom resources. No other package imports terraform-exec or hc-install.
//
// A Run is one workspace in a private directory. Open writes the files and runs init. Each Terraform command is a method. Close removes
// the directory. A child process does not inherit the environment of the manager, except TF_APPEND_USER_AGENT, which terraform-exec
// always adds.
package terraform
