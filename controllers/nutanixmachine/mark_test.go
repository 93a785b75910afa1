package nutanixmachine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// In the description of a VM, the namespace and name of the object follow the workspace key. Users choose both, and no
// choice may make the description of one object's VM look like that of another object's VM.
func FuzzMark(f *testing.F) {
	f.Add("key-1", "ns", "m", "key-2", "ns", "m")
	f.Add("key", "ns", "m", "key-1", "ns", "m")
	f.Add("", "ns", "m", "key-1", "ns", "m")
	f.Add("key-2", "Managed by CAPNT, key key-1, ", "m", "key-1", "", "")
	f.Add("key-2", "ns", "Managed by CAPNT, key key-1, NutanixMachine ns/m", "key-1", "ns", "m")
	f.Fuzz(func(t *testing.T, key, namespace, name, otherKey, otherNamespace, otherName string) {
		machine := func(key, namespace, name string) *infrav1.NutanixMachine {
			return &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name,
				Annotations: map[string]string{infrav1.WorkspaceKeyAnnotation: key}}}
		}
		one, other := machine(key, namespace, name), machine(otherKey, otherNamespace, otherName)
		for _, uid := range []string{key, otherKey} {
			for _, r := range uid {
				if r == ',' { // a key is a UID
					return
				}
			}
		}
		assert.Equal(t, key != "", marked(mark(one), one))
		assert.Equal(t, key != "" && key == otherKey, marked(mark(one), other))
	})
}

func TestMarkedRejectsOtherDescriptions(t *testing.T) {
	keyless := marks.DeepCopy()
	keyless.Annotations = nil
	for _, description := range []string{"", "Managed by CAPNT", markPrefix, markPrefix + ",", "key-1", "x" + mark(marks),
		"managed by capnt, key key-1, NutanixMachine ns/m", markPrefix + "key-12, NutanixMachine ns/m", markPrefix + "Key-1, x"} {
		assert.False(t, marked(description, marks), description)
		assert.False(t, marked(description, keyless), description)
	}
	assert.True(t, marked(mark(marks), marks))
	assert.False(t, marked(mark(keyless), keyless), "an object without a key owns nothing")
	renamed := marks.DeepCopy()
	renamed.Namespace, renamed.Name = "elsewhere", "other"
	assert.True(t, marked(mark(marks), renamed), "the key alone decides, so that a moved machine keeps its VM")
}
