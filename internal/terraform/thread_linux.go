package terraform

import "syscall"

// killedWithThread makes the kernel kill a child process when the thread that started it ends. The child has a process group of its own,
// so that an interrupt from a terminal does not reach it: Terraform tells its provider to stop.
func killedWithThread() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
