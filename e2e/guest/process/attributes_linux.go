package process

import "syscall"

// attributes lets the kernel kill the child when the parent dies without stopping it, for example when a test binary
// panics. The child has its own process group, so that Ctrl-C in the terminal reaches the parent only, which then stops
// its children in order.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
