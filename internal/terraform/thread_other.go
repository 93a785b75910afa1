//go:build !linux

package terraform

import "syscall"

func killedWithThread() *syscall.SysProcAttr { return nil }
