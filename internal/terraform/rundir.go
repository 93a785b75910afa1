package terraform

import (
	"fmt"
	"os"
	"path/filepath"
)

// runDir is the directory of one run. It contains the workspace directory, in which commands run. Other files of the run are outside of
// the workspace directory, so that Terraform does not read them as configuration.
type runDir string

func (d runDir) workspace() string   { return filepath.Join(string(d), "workspace") }
func (d runDir) home() string        { return filepath.Join(string(d), "home") }
func (d runDir) temp() string        { return filepath.Join(string(d), "t") }
func (d runDir) cliConfig() string   { return filepath.Join(string(d), "cli.tfrc") }
func (d runDir) trustBundle() string { return filepath.Join(string(d), "roots.pem") }
func (d runDir) variables() string   { return filepath.Join(string(d), "secrets.tfvars.json") }
func (d runDir) plan() string        { return filepath.Join(string(d), "plan.tfplan") }
func (d runDir) state() string       { return filepath.Join(string(d), "push.tfstate") }
func (d runDir) stateName() string   { return filepath.Join(string(d), "state-name") }
func (d runDir) claim() string       { return filepath.Join(string(d), "claim") }
func (d runDir) errored() string     { return filepath.Join(d.workspace(), "errored.tfstate") }

// runDirPattern matches the names of run directories. It is used to find directories of killed processes.
const runDirPattern = "capnt-*"

// maxScratch is the maximum length of the path of the scratch directory, in bytes. A provider listens on a Unix socket named
// plugin<number> in the temporary directory of its run, and Linux limits the path of a socket to 107 bytes.
const maxScratch = 107 - len("/capnt-4294967295/t/plugin4294967295")

// newRunDir creates the directories of a run. Only the current user can read them. The returned file holds the lock of the run directory
// until it is closed.
func newRunDir(scratch string) (runDir, *os.File, error) {
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return "", nil, err
	}
	path, err := os.MkdirTemp(scratch, runDirPattern)
	if err != nil {
		return "", nil, err
	}
	dir := runDir(path)
	held, err := dir.create()
	return dir, held, err
}

// create locks an empty run directory and creates its subdirectories.
func (d runDir) create() (*os.File, error) {
	held, err := claim(d, os.O_CREATE)
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{d.workspace(), d.home(), d.temp()} {
		if err := os.Mkdir(sub, 0o700); err != nil {
			return held, err
		}
	}
	return held, nil
}

func (d runDir) writeFiles(files map[string][]byte) error {
	for name, content := range files {
		if err := d.writeFile(name, content); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes a workspace file and creates missing directories. name is a slash-separated path relative to the workspace directory.
func (d runDir) writeFile(name string, content []byte) error {
	local, err := filepath.Localize(name)
	if err != nil {
		return fmt.Errorf("writing workspace file %q: the name must be a path inside the workspace: %w", name, err)
	}
	path := filepath.Join(d.workspace(), local)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("writing workspace file %q: %w", name, err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("writing workspace file %q: %w", name, err)
	}
	return nil
}
