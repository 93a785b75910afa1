package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			version := struct {
				Version   string `json:"version"`
				GoVersion string `json:"goVersion"`
				Platform  string `json:"platform"`
			}{a.Version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			if output != "" {
				return encode(a.Out, output, version)
			}
			_, err := fmt.Fprintf(a.Out, "capnt %s (%s, %s)\n", version.Version, version.GoVersion, version.Platform)
			return err
		},
	}
	addOutput(command, &output, outputJSON, outputYAML)
	return command
}
