package main

import "runtime/debug"

// release is set by the linker: see the Makefile.
var release string

// buildVersion is the version of this program: what the Makefile says, else that of the module it was built from.
func buildVersion() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
