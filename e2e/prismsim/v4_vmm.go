package prismsim

// relVM is the type of a VM in the entities of a task.
const relVM = "vmm:ahv:config:vm"
