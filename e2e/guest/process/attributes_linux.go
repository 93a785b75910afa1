package process

import "syscall"

// attributes lets the kernel kill the child when the parent dies without having stopped it, for example when a test
// binary panics or is killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
