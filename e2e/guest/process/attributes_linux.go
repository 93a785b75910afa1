package process

import "syscall"

// attributes lets the kernel kill the child when the parent dies without having stopped it, for example when a test
// binary panics or is killed. A process group of its own keeps the terminal's Ctrl-C from the child: the parent decides in
// which order things end.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
