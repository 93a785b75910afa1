// Command capnt shows and decides the plans that CAPNT records. Installed as kubectl-capnt, it is a plugin of kubectl.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/nutanixcluster"
	"github.com/capnt/capnt/controllers/nutanixmachine"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/cli"
)

// release is the version of a release build. The Makefile sets it through the linker.
var release string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, config(), os.Args[1:])
	stop()
	os.Exit(code)
}

func config() cli.Config {
	return cli.Config{
		Program:     program(os.Args[0]),
		Version:     version(),
		In:          os.Stdin,
		Out:         os.Stdout,
		Err:         os.Stderr,
		Interactive: term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd())),
		Color:       term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		Now:         time.Now,
		Render:      render,
		StateSuffix: provisioning.StateSuffix,
	}
}

// render renders a workspace as the manager does.
func render(object client.Object, cluster *infrav1.NutanixCluster) (cli.Workspace, error) {
	if machine, isMachine := object.(*infrav1.NutanixMachine); isMachine {
		workspace, err := nutanixmachine.Render(machine, cluster)
		return cli.Workspace(workspace), err
	}
	workspace, err := nutanixcluster.Render(cluster)
	return cli.Workspace(workspace), err
}

// program returns what the user typed. kubectl starts the file kubectl-capnt for `kubectl capnt`.
func program(path string) string {
	if strings.HasPrefix(filepath.Base(path), "kubectl-") {
		return "kubectl capnt"
	}
	return "capnt"
}

func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
