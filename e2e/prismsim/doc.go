// Package prismsim is a simulated Prism Central. It serves the v3 API and parts of the v4 API closely enough for the
// unmodified Terraform provider, for prism-go-client and for the vendor's SDKs.
//
// An inventory defines the entities that the server manages: Prism Elements, subnets with address pools, images,
// storage containers, projects, GPUs and categories. Changes are asynchronous tasks with configurable latency. A
// Hypervisor may run a simulated guest for every VM that is on. Tests can set faults and rules at any time, and the
// server records every request.
//
// The responses follow recorded responses of a real Prism Central (pc.2024.x) and the API description 3.1 in
// prism-go-client. Some messages could not be found in public records. Comments say which messages were invented for
// the simulation.
//
// This package contains the server and the names that tests use. Its subpackages implement the APIs and the model.
package prismsim
