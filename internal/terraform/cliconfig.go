package terraform

import "fmt"

// cliConfig is the CLI configuration of every run: the nutanix provider comes from the mirror, any other provider from
// nowhere, and nobody asks the vendor for updates.
func cliConfig(mirror string) []byte {
	return fmt.Appendf(nil, `disable_checkpoint = true

provider_installation {
  filesystem_mirror {
    path    = %q
    include = [%q]
  }
}
`, mirror, ProviderSource)
}
