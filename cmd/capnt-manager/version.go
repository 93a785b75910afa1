package main

import "runtime/debug"

// release is the version of a release build. The Makefile sets it through the linker.
var release string

// buildVersion returns the version that the Makefile has set. If there is none, it returns the version of the main Go module.
func buildVersion() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
