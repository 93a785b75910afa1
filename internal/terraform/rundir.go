package terraform

import (
	"fmt"
	"os"
	"path/filepath"
)

// runDir is the directory of one run. Commands work in its workspace; what they need besides lies next to it, so that
// neither is mistaken for the other.
type runDir string

func (d runDir) workspace() string   { return filepath.Join(string(d), "workspace") }
func (d runDir) home() string        { return filepath.Join(string(d), "home") }
func (d runDir) temp() string        { return filepath.Join(string(d), "tmp") }
func (d runDir) cliConfig() string   { return filepath.Join(string(d), "cli.tfrc") }
func (d runDir) trustBundle() string { return filepath.Join(string(d), "roots.pem") }
func (d runDir) variables() string   { return filepath.Join(string(d), "secrets.tfvars.json") }
func (d runDir) plan() string        { return filepath.Join(string(d), "plan.tfplan") }
func (d runDir) state() string       { return filepath.Join(string(d), "push.tfstate") }
func (d runDir) errored() string     { return filepath.Join(d.workspace(), "errored.tfstate") }

// newRunDir makes the directory tree, readable for this user alone.
func newRunDir(scratch string) (runDir, error) {
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return "", err
	}
	path, err := os.MkdirTemp(scratch, "run-*")
	if err != nil {
		return "", err
	}
	dir := runDir(path)
	for _, sub := range []string{dir.workspace(), dir.home(), dir.temp()} {
		if err := os.Mkdir(sub, 0o700); err != nil {
			return dir, err
		}
	}
	return dir, nil
}

// writeFile writes a workspace file, making its directories. The name is a slash-separated path inside the workspace.
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
