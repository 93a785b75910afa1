package process

import "syscall"

// attributes makes the kernel kill the child when the parent exits without stopping the child, for example when a test
// binary panics. It also creates a process group for the child. Ctrl-C in the terminal then reaches only the parent,
// which can stop its children in order.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
