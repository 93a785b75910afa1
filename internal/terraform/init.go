package terraform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// dataDir is the directory in which init stores the configuration of the backend and the sources of the modules.
const dataDir = ".terraform"

// initResults contains the files that init wrote for each RunOptions.InitKey. The names of the files are relative to the workspace.
type initResults struct {
	mutex sync.Mutex
	files map[string]map[string][]byte
}

func (i *initResults) get(key string) map[string][]byte {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	return i.files[key]
}

func (i *initResults) put(key string, files map[string][]byte) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if i.files == nil {
		i.files = map[string]map[string][]byte{}
	}
	i.files[key] = files
}

// initOptions does not set the upgrade option, because the manager has started the provider and init installs none.
func initOptions(provider *tfexec.ReattachOption) []tfexec.InitOption {
	return []tfexec.InitOption{tfexec.Upgrade(false), provider}
}

// initialise runs init. If another run with the same RunOptions.InitKey has run it, initialise writes the same files instead.
func (r *Run) initialise(ctx context.Context) error {
	key := r.options.InitKey
	if key != "" {
		if files := r.terraform.initialised.get(key); files != nil {
			return r.dir.writeFiles(files)
		}
	}
	err := r.providerCommand(ctx, "init", func(ctx context.Context, provider *tfexec.ReattachOption) error {
		return r.cli.Init(ctx, initOptions(provider)...)
	})
	if err != nil || key == "" {
		return err
	}
	files, err := r.dir.initFiles()
	if err != nil {
		return fmt.Errorf("reading what init wrote: %w", err)
	}
	if !containsValue(files, r.options.Env) {
		r.terraform.initialised.put(key, files)
	}
	return nil
}

// containsValue reports whether a file contains the value of a variable in env, for example the address of a backend. A backend prefers
// arguments that init has stored to the environment, so another run would use the state of this run. Values with fewer than minSecretLine
// characters are ignored, because they may be ordinary words.
func containsValue(files map[string][]byte, env map[string]string) bool {
	for _, content := range files {
		for _, value := range env {
			if len(value) >= minSecretLine && bytes.Contains(content, []byte(value)) {
				return true
			}
		}
	}
	return false
}

// initFiles returns the files that init wrote to the workspace. It returns an empty map if init wrote none.
func (d runDir) initFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	workspace := os.DirFS(d.workspace())
	err := fs.WalkDir(workspace, dataDir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[name], err = fs.ReadFile(workspace, name)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return files, nil
	}
	return files, err
}
