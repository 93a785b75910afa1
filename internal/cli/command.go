// Package cli is the command line program capnt, which is also a plugin of kubectl. It shows recorded plans, creates decisions, reads
// Terraform states, verifies audit logs and tests policies.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/cli/display"
	"github.com/capnt/capnt/internal/text"
)

// Exit codes, as those of kubectl diff.
const (
	exitNothing = 0 // nothing waits and nothing differs
	exitWaits   = 1 // something waits or differs
	exitError   = 2
)

// errWaits is the result of a command that worked and found something that waits or differs.
var errWaits = errors.New("something waits or differs")

// Config connects the program with its surroundings.
type Config struct {
	// Program is what the user types to start the program, for example "kubectl capnt".
	Program string
	Version string

	In  io.Reader
	Out io.Writer
	Err io.Writer
	// Interactive is true if a person can answer questions on In.
	Interactive bool
	// Color is true if Out shows colours.
	Color bool

	Now func() time.Time
	// Connect returns the cluster that the flags select. If it is nil, the flags of kubectl and the kubeconfig select the cluster.
	Connect func() (*Cluster, error)
	// Render renders the workspace of a NutanixMachine or a NutanixCluster. cluster is the NutanixCluster of the object.
	Render func(object client.Object, cluster *infrav1.NutanixCluster) (Workspace, error)
	// StateSuffix returns the suffix of the Terraform state of an object.
	StateSuffix func(kind string, object client.Object) string
}

// app is the state that all commands share.
type app struct {
	Config
	connection connection
}

// Run runs the program and returns its exit code.
func Run(ctx context.Context, config Config, args []string) int {
	command := newCommand(config)
	command.SetArgs(args)
	command.SetIn(config.In)
	command.SetOut(config.Out)
	command.SetErr(config.Err)
	err := command.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitNothing
	case errors.Is(err, errWaits):
		return exitWaits
	default:
		for i, line := range strings.Split(err.Error(), "\n") {
			if i == 0 {
				line = "error: " + line
			}
			fmt.Fprintln(config.Err, text.Printable(line)) // an error can contain what others have written
		}
		return exitError
	}
}

func newCommand(config Config) *cobra.Command {
	app := &app{Config: config}
	root := &cobra.Command{
		Use:   "capnt",
		Short: "Show, decide and verify what CAPNT changes on Nutanix",
		Long: `capnt shows the plans that CAPNT records before it changes infrastructure, approves or denies them, reads Terraform states,
and verifies the audit log.

Exit codes: 0 if nothing waits or differs, 1 if something waits or differs, above 1 for an error.`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: config.Program},
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          showHelp,
	}
	app.connection.bind(root.PersistentFlags())
	root.AddCommand(app.planCommand(), app.stateCommand(), app.policyCommand(), app.auditCommand(), app.renderCommand(), app.versionCommand())
	return root
}

// style returns how plans are shown on the output.
func (a *app) style() display.Style { return display.Style{Color: a.Color} }

// group returns a command that only contains other commands.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	command := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: showHelp}
	command.AddCommand(commands...)
	return command
}

// showHelp runs a command that only contains other commands. Without it, cobra does not report an unknown command as an error.
func showHelp(command *cobra.Command, _ []string) error { return command.Help() }
