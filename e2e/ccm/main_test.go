// Package ccm tests the cloud controller manager end to end. Package fixture describes which parts of the environment
// are real.
package ccm

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/capnt/capnt/e2e/ccm/fixture"
	"github.com/capnt/capnt/internal/toolbox"
)

// suite is shared by all scenarios.
var suite *fixture.Suite

// parallelScenarios is the default of the flag -parallel. It is higher than the number of cores, because scenarios
// spend most of their time waiting.
const parallelScenarios = "7"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", parallelScenarios); err != nil {
			return fail(err)
		}
	}
	dir, err := os.MkdirTemp("", "capnt-ccm-")
	if err != nil {
		return fail(err)
	}
	repository := filepath.Dir(toolbox.Dir())
	suite = &fixture.Suite{Pool: fixture.NewPool(dir, toolbox.Dir()), Binary: filepath.Join(toolbox.Dir(), "bin", "capnt-ccm")}
	defer func() {
		if err := suite.Pool.Close(); err != nil {
			code = fail(err)
		}
	}()
	if suite.Deployment, err = fixture.LoadDeployment(filepath.Join(repository, "config", "ccm")); err != nil {
		return fail(err)
	}
	if suite.Inventory, err = os.ReadFile(filepath.Join("testdata", "inventory.yaml")); err != nil {
		return fail(err)
	}
	return m.Run()
}

// withBothAnswers runs a scenario once with each set of simulator rules; see fixture.AnswerSet.
func withBothAnswers(t *testing.T, options fixture.Options, scenario func(f *fixture.Fixture)) {
	t.Helper()
	t.Parallel()
	for _, answers := range fixture.BothAnswers() {
		t.Run(string(answers), func(t *testing.T) {
			t.Parallel()
			options := options
			options.Answers = answers
			scenario(fixture.New(t, suite, options))
		})
	}
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "scenarios of the cloud controller manager:", err)
	return 1
}
