// Package terraform runs the Terraform (or OpenTofu) command line. It knows directories, bytes and environments,
// never custom resources, and it is the only importer of terraform-exec and hc-install.
//
// A Run is one workspace in a private directory that lives for a few commands: Open writes the files and runs init,
// every verb is one method, Close removes everything. What a run may know is given explicitly: nothing of the
// manager's environment reaches a child process except TF_APPEND_USER_AGENT, which terraform-exec always merges.
package terraform
