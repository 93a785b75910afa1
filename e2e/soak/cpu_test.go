package soak

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/e2e/stack"
	"github.com/capnt/capnt/internal/toolbox"
	"github.com/capnt/capnt/renderer"
)

// cpuMachines is the number of machines that BenchmarkCPUPerMachine measures, in addition to one that warms up.
const cpuMachines = 5

// These are the steps that BenchmarkCPUPerMachine measures.
const (
	stepCreate = "create"
	stepChange = "change"
	stepDelete = "delete"
)

var cpuSteps = []string{stepCreate, stepChange, stepDelete}

// cpuTime contains CPU time in seconds. Its keys are Terraform verbs, "manager", and "provider" for the providers that the manager starts.
type cpuTime map[string]float64

// BenchmarkCPUPerMachine reports the CPU time for creating, changing and deleting a machine. It compares the manager with all its child
// processes to a script that runs init, plan, show and apply in the same workspace with a local state. The two work in turn. The benchmark
// also prints the CPU time by verb.
func BenchmarkCPUPerMachine(b *testing.B) {
	for b.Loop() {
		c := newCPUBenchmark(b)
		own, script := map[string]cpuTime{}, map[string]cpuTime{}
		for i, name := range c.machines {
			ownSteps, scriptSteps := c.measureManager(name), c.measureScript("script-"+name)
			if i == 0 {
				continue
			}
			for _, step := range cpuSteps {
				add(own, step, ownSteps[step])
				add(script, step, scriptSteps[step])
			}
		}
		for _, step := range cpuSteps {
			ownTotal, scriptTotal := total(own[step]), total(script[step])
			b.ReportMetric(ownTotal, "CPU-s/"+step)
			b.ReportMetric(scriptTotal, "script-CPU-s/"+step)
			b.ReportMetric(ownTotal/scriptTotal, "ratio/"+step)
			// The log of a benchmark is truncated.
			_, _ = fmt.Fprintf(os.Stdout, "%s: manager: %s\n%s: script: %s\n", step, breakdown(own[step]), step, breakdown(script[step]))
		}
		c.deleteCluster()
	}
}

func add(totals map[string]cpuTime, step string, one cpuTime) {
	if totals[step] == nil {
		totals[step] = cpuTime{}
	}
	for key, seconds := range one {
		totals[step][key] += seconds / cpuMachines
	}
}

func total(c cpuTime) float64 {
	sum := 0.0
	for _, seconds := range c {
		sum += seconds
	}
	return sum
}

func breakdown(c cpuTime) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(c)) {
		parts = append(parts, fmt.Sprintf("%s %.3f", key, c[key]))
	}
	return strings.Join(parts, ", ")
}

// cpuBenchmark is a harness whose manager runs Terraform through a shell script that records the CPU time of each command.
type cpuBenchmark struct {
	*harness
	records string
	pid     int
	// files are the workspace files of the last created and the last changed machine.
	files map[string]map[string][]byte
	// name and key are the name and the workspace key in files.
	name, key string
}

func newCPUBenchmark(b *testing.B) *cpuBenchmark {
	b.Helper()
	dir := b.TempDir()
	c := &cpuBenchmark{records: filepath.Join(dir, "records"), files: map[string]map[string][]byte{}}
	recorder := filepath.Join(dir, "terraform")
	script := fmt.Sprintf("#!/bin/bash\n%q \"$@\"\ncode=$?\n{ echo \"$1\"; times; } >>%q\nexit $code\n", toolbox.Path(b, "bin/terraform"), c.records)
	require.NoError(b, os.WriteFile(recorder, []byte(script), 0o700))
	c.harness = newHarness(b, 1+cpuMachines, "--terraform-path="+recorder, "--health-check-interval=1m")
	c.waitForCluster()
	c.pid = c.managerPID()
	return c
}

// managerPID returns the process ID of the manager of this stack.
func (c *cpuBenchmark) managerPID() int {
	c.t.Helper()
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(c.t, err)
	for _, path := range commands {
		if strings.Contains(read(path), "--scratch-dir="+c.Env.ScratchDir()+"\x00") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			require.NoError(c.t, err)
			return pid
		}
	}
	require.Fail(c.t, "the manager is not running")
	return 0
}

// measureManager returns the CPU time of the manager and its child processes for each step of a machine.
func (c *cpuBenchmark) measureManager(name string) map[string]cpuTime {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), phaseBase)
	defer cancel()
	all := c.machines
	c.machines = []string{name}
	defer func() { c.machines = all }()
	return map[string]cpuTime{
		stepCreate: c.measure(ctx, func() {
			c.create(nil)
			c.keepFiles(ctx, stepCreate, name)
		}),
		stepChange: c.measure(ctx, func() {
			c.update(nil)
			c.keepFiles(ctx, stepChange, name)
		}),
		stepDelete: c.measure(ctx, func() { c.delete(nil) }),
	}
}

// keepFiles renders the workspace of a machine for the script.
func (c *cpuBenchmark) keepFiles(ctx context.Context, step, name string) {
	c.t.Helper()
	machine := &infrav1.NutanixMachine{ObjectMeta: named(name)}
	require.NoError(c.t, c.Env.Client.Get(ctx, client.ObjectKeyFromObject(machine), machine))
	workspace, err := c.Export(ctx, machine)
	require.NoError(c.t, err)
	files := workspace.Export(nil, nil)
	delete(files, renderer.StateFileName)
	c.files[step], c.name, c.key = files, name, provisioning.WorkspaceKey(machine)
}

// measure returns the CPU time that the manager and its child processes use until the step is done and the manager is idle.
func (c *cpuBenchmark) measure(ctx context.Context, step func()) cpuTime {
	c.t.Helper()
	c.waitIdle(ctx)
	require.NoError(c.t, os.WriteFile(c.records, nil, 0o600))
	manager, children := c.used()
	step()
	c.waitIdle(ctx)
	managerAfter, childrenAfter := c.used()
	used := c.commands()
	provider := childrenAfter - children - total(used)
	used["manager"] = managerAfter - manager
	used["provider"] = provider
	return used
}

// clockTick is the unit of CPU time in /proc, in seconds.
const clockTick = 0.01

// used returns the CPU time of the manager, and of its child processes that have ended, in seconds.
func (c *cpuBenchmark) used() (manager, children float64) {
	c.t.Helper()
	stat := read(filepath.Join("/proc", strconv.Itoa(c.pid), "stat"))
	_, rest, found := strings.Cut(stat, ") ")
	require.True(c.t, found, "the manager is not running")
	fields := strings.Fields(rest)
	ticks := func(i int) float64 {
		value, err := strconv.ParseFloat(fields[i], 64)
		require.NoError(c.t, err)
		return value * clockTick
	}
	return ticks(11) + ticks(12), ticks(13) + ticks(14) // utime, stime, cutime, cstime
}

// waitIdle waits until the manager and its children have used almost no CPU time for a second.
func (c *cpuBenchmark) waitIdle(ctx context.Context) {
	c.t.Helper()
	last, since := -1.0, time.Now()
	require.NoError(c.t, c.Env.Wait(ctx, "the manager to be idle", func(context.Context) (bool, string, error) {
		manager, children := c.used()
		if now := manager + children; now-last > 2*clockTick || len(c.processes()) > 0 {
			last, since = now, time.Now()
		}
		return time.Since(since) > time.Second, "", nil
	}))
}

// commands returns the CPU time of the recorded Terraform commands by verb.
func (c *cpuBenchmark) commands() cpuTime {
	c.t.Helper()
	used := cpuTime{}
	scanner := bufio.NewScanner(strings.NewReader(read(c.records)))
	for scanner.Scan() {
		verb := scanner.Text()
		for range 2 { // the CPU time of the shell, and of its children
			require.True(c.t, scanner.Scan())
			for _, field := range strings.Fields(scanner.Text()) {
				duration, err := time.ParseDuration(field)
				require.NoError(c.t, err)
				used[verb] += duration.Seconds()
			}
		}
	}
	return used
}

// measureScript creates, changes and deletes a virtual machine as a person at a terminal does, and returns the CPU time of each step.
func (c *cpuBenchmark) measureScript(name string) map[string]cpuTime {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), phaseBase)
	defer cancel()
	var state []byte
	used := map[string]cpuTime{}
	for _, step := range cpuSteps {
		files := c.scriptFiles(step, name)
		if state != nil {
			files[renderer.StateFileName] = state
		}
		workspace, err := c.WorkspaceOf(files)
		require.NoError(c.t, err)
		used[step] = cpuTime{}
		plan := []string{"plan", "-no-color", "-input=false", "-out=plan.tfplan"}
		if step == stepDelete {
			plan = append(plan, "-destroy")
		}
		for _, args := range [][]string{stack.InitArgs, plan, {"show", "-json", "plan.tfplan"}, {"apply", "-no-color", "-input=false", "plan.tfplan"}} {
			command := workspace.Command(ctx, args...)
			output, err := command.CombinedOutput()
			require.NoError(c.t, err, string(output))
			used[step][args[0]] += (command.ProcessState.UserTime() + command.ProcessState.SystemTime()).Seconds()
		}
		state, err = workspace.Read(renderer.StateFileName)
		require.NoError(c.t, err)
		workspace.Close()
	}
	return used
}

// scriptFiles returns the workspace files of a step for another virtual machine.
func (c *cpuBenchmark) scriptFiles(step, name string) map[string][]byte {
	source := c.files[step]
	if step == stepDelete {
		source = c.files[stepChange]
	}
	files := map[string][]byte{}
	for path, content := range source {
		content = bytes.ReplaceAll(content, []byte(c.name), []byte(name))
		files[path] = bytes.ReplaceAll(content, []byte(c.key), []byte("key-of-"+name))
	}
	files["terraform.tfvars"] = fmt.Appendf(nil, "%s = %q\n", renderer.UserDataVariable, base64.StdEncoding.EncodeToString([]byte("#cloud-config\n")))
	return files
}
