package installation

import (
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// repository is a Git repository with the branch main. An HTTP server on a loopback address serves it.
type repository struct {
	t   *testing.T
	dir string
	url string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	root := t.TempDir()
	r := &repository{t: t, dir: filepath.Join(root, "fleet")}
	require.NoError(t, os.Mkdir(r.dir, 0o700))
	r.git("init", "--quiet", "--initial-branch=main")
	server := httptest.NewServer(&cgi.Handler{
		Path: filepath.Join(r.git("--exec-path"), "git-http-backend"), Dir: root,
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=" + os.DevNull},
	})
	t.Cleanup(server.Close)
	r.url = server.URL + "/fleet/.git"
	return r
}

// commit writes the files, removes those without content, and commits all. It returns the revision in the format of Flux.
func (r *repository) commit(message string, files map[string]string) string {
	r.t.Helper()
	for name, content := range files {
		path := filepath.Join(r.dir, name)
		if content == "" {
			require.NoError(r.t, os.Remove(path))
			continue
		}
		require.NoError(r.t, os.WriteFile(path, []byte(content), 0o600))
	}
	r.git("add", "--all")
	r.git("commit", "--quiet", "--message="+message)
	return "main@sha1:" + r.git("rev-parse", "HEAD")
}

// git runs git in the repository and returns its output. The configuration of the user does not apply.
func (r *repository) git(arguments ...string) string {
	r.t.Helper()
	command := exec.CommandContext(r.t.Context(), "git", arguments...)
	command.Dir = r.dir
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull, "GIT_AUTHOR_NAME=team",
		"GIT_AUTHOR_EMAIL=team@example.com", "GIT_COMMITTER_NAME=team", "GIT_COMMITTER_EMAIL=team@example.com")
	out, err := command.CombinedOutput()
	require.NoError(r.t, err, "git %v: %s", arguments, out)
	return strings.TrimSpace(string(out))
}
