package prismsim

// control looks at a simulated Prism Central, and changes it from outside, as operators, other programs and failures do.
type control struct {
	estate *estate
	*networkControl
	auth     *authenticator
	faults   *Faults
	journal  *journal
	username string
}

// Faults returns the faults in force, to set and clear.
func (c *control) Faults() *Faults { return c.faults }

// AgeVMs makes the VMs count as older than any lag of lists.
func (c *control) AgeVMs() {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	c.estate.vms.predate()
}

// Username returns the name of the account in Options.Username.
func (c *control) Username() string { return c.username }
