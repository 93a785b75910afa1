// Package prismsim is a simulated Prism Central: it answers the v3 API as the real one does, closely enough that the
// unmodified Terraform provider 1.9.5 and prism-go-client work against it and leave clean plans behind.
//
// What it knows comes from an Inventory (Prism Elements, subnets with address pools, images, storage containers,
// projects, GPUs, categories). Changes are asynchronous tasks with configurable latency; a powered-on VM is handed to a
// Hypervisor, which may boot a simulated guest. Faults can be set at any time, and every request is journalled.
//
// The shapes follow the recorded answers of a real Prism Central (pc.2024.x) and the API description 3.1 that
// prism-go-client carries. Texts of error messages that could not be found in public records are this package's own and
// are marked so where they are written.
package prismsim
