// Package ccm proves the cloud controller manager with real parts: each test is named for what it proves. See package world
// for what it happens in.
package ccm

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/capnt/capnt/e2e/ccm/world"
	"github.com/capnt/capnt/internal/toolbox"
)

// site is what all scenarios share.
var site *world.Site

// sideBySide is how many scenarios run at once, unless -parallel says otherwise: they wait more than they work, and one of
// them does for five minutes.
const sideBySide = "7"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", sideBySide); err != nil {
			return fail(err)
		}
	}
	dir, err := os.MkdirTemp("", "capnt-ccm-")
	if err != nil {
		return fail(err)
	}
	repository := filepath.Dir(toolbox.Dir())
	site = &world.Site{Pool: world.NewPool(dir, toolbox.Dir()), Binary: filepath.Join(toolbox.Dir(), "bin", "capnt-ccm")}
	defer func() {
		if err := site.Pool.Close(); err != nil {
			code = fail(err)
		}
	}()
	if site.Deployment, err = world.LoadDeployment(filepath.Join(repository, "config", "ccm")); err != nil {
		return fail(err)
	}
	if site.Inventory, err = os.ReadFile(filepath.Join("testdata", "inventory.yaml")); err != nil {
		return fail(err)
	}
	return m.Run()
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "scenarios of the cloud controller manager:", err)
	return 1
}
