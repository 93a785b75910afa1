// Command providerstub is a stand-in for provider nutanix 2.4.2 in tests. It has the schema of the three resources that this project uses,
// sends the requests of the provider in its order, and has its defects. It talks only to loopback addresses. Recordings of the provider in
// e2e/prismsim/testdata are its specification.
package main

import "github.com/hashicorp/terraform-plugin-sdk/v2/plugin"

func main() { plugin.Serve(&plugin.ServeOpts{ProviderFunc: newProvider}) }
