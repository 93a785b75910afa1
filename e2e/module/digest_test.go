package module

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/renderer"
)

// One decision covers all plans of a rollout. So plans that create or delete two machines of one template have one class digest.
func TestMachinesOfOneTemplateHaveOneClassDigest(t *testing.T) {
	eachProvider(t, func(f *fixture) {
		first, second := f.machine(), f.machine()
		second.Name, second.Description = "machine-2", "another mark"
		a, b := f.open(f.render(first)), f.open(f.render(second))
		b.environment = append(b.environment, "TF_VAR_"+renderer.UserDataVariable+"=I2Nsb3VkLWNvbmZpZzIK")
		f.haveOneClass(a.record(), b.record())
		a.apply()
		b.apply()
		f.haveOneClass(a.record("-destroy"), b.record("-destroy"))

		larger := f.machine()
		larger.MemoryMiB *= 2
		assert.NotEqual(f.t, a.record("-destroy").ClassDigest, f.open(f.render(larger)).record().ClassDigest)
	})
}

func (f *fixture) haveOneClass(a, b plan.Record) {
	f.t.Helper()
	assert.Equal(f.t, a.ClassDigest, b.ClassDigest)
	assert.NotEqual(f.t, a.ChangeDigest, b.ChangeDigest)
}
