package main

import "runtime/debug"

// release is set by the linker, see the Makefile.
var release string

// buildVersion returns the version that the Makefile has set, otherwise the version of the module that the program was built from.
func buildVersion() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
