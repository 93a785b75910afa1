package terraform

import (
	"os"
	"sync"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// clients keeps the terraform-exec clients of closed runs. A client runs `terraform version` before its first other command and remembers
// the result, but it always uses the same directory. So a later run gets a client together with the name of its directory.
type clients struct {
	mutex sync.Mutex
	idle  []client
}

type client struct {
	dir runDir
	cli *tfexec.Terraform
}

// take returns a client whose directory take has created again. It returns false if there is none.
func (c *clients) take() (client, bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for len(c.idle) > 0 {
		last := c.idle[len(c.idle)-1]
		c.idle = c.idle[:len(c.idle)-1]
		if err := os.Mkdir(string(last.dir), 0o700); err == nil {
			return last, true
		}
	}
	return client{}, false
}

// put keeps the client of a run whose directory was removed. The client keeps no credentials of the run.
func (c *clients) put(closed client) {
	if err := closed.cli.SetEnv(map[string]string{}); err != nil {
		return
	}
	closed.cli.SetStdout(nil)
	closed.cli.SetStderr(nil)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.idle = append(c.idle, closed)
}
