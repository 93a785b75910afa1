// Package terraform runs the Terraform (or OpenTofu) command line. It handles directories, bytes and environments, and never
// custom resources. It is the only package that imports terraform-exec and hc-install.
//
// A Run is one workspace in a private directory that is used for a few commands: Open writes the files and runs init, each verb
// is a method, and Close removes everything. The environment of a child process is explicit. Nothing of the manager's
// environment reaches it, except TF_APPEND_USER_AGENT, which terraform-exec always adds.
package terraform
