package renderer_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/capnt/capnt/renderer"
)

func TestUserData(t *testing.T) {
	tests := map[string]struct{ bootstrap, want string }{
		"plain cloud-config stays byte for byte": {
			"#cloud-config\nruncmd: [\"a\"]\n\n", "#cloud-config\nruncmd: [\"a\"]\n\n",
		},
		"host name is inserted and the header removed": {
			"## template: jinja\n#cloud-config\nname: '{{ ds.meta_data.hostname }}'\n", "#cloud-config\nname: 'worker-1'\n",
		},
		"any spacing": {
			"## template: jinja\n#cloud-config\na: {{ds.meta_data.hostname}} b: {{  ds.meta_data.hostname\t}}\n", "#cloud-config\na: worker-1 b: worker-1\n",
		},
		"unnecessary header is removed": {
			"## template: jinja\n#cloud-config\n", "#cloud-config\n",
		},
		"header as cloud-init reads it": {
			"##template:  Jinja \r\n#cloud-config\r\n", "#cloud-config\r\n",
		},
		"other expression keeps the header": {
			"## template: jinja\n#cloud-config\na: {{ ds.meta_data.hostname }} {{ ds.meta_data.uuid }}\n", "## template: jinja\n#cloud-config\na: worker-1 {{ ds.meta_data.uuid }}\n",
		},
		"expression with a filter stays": {
			"## template: jinja\na: {{ ds.meta_data.hostname | upper }}\n", "## template: jinja\na: {{ ds.meta_data.hostname | upper }}\n",
		},
		"statement keeps the header": {
			"## template: jinja\n{% if x %}{{ ds.meta_data.hostname }}{% endif %}\n", "## template: jinja\n{% if x %}worker-1{% endif %}\n",
		},
		"comment keeps the header": {
			"## template: jinja\n{# note #}\n", "## template: jinja\n{# note #}\n",
		},
		"host name without a header": {
			"#cloud-config\na: {{ ds.meta_data.hostname }}\n", "#cloud-config\na: worker-1\n",
		},
		"header that is not first is text": {
			"#cloud-config\n## template: jinja\n", "#cloud-config\n## template: jinja\n",
		},
		"ignition stays": {
			`{"ignition":{"version":"3.4.0"}}`, `{"ignition":{"version":"3.4.0"}}`,
		},
		"binary stays": {"\x1f\x8b\x00\xff{\x00{", "\x1f\x8b\x00\xff{\x00{"},
		"empty stays":  {"", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bootstrap := []byte(test.bootstrap)
			assert.Equal(t, test.want, string(renderer.UserData(bootstrap, "worker-1")))
			assert.Equal(t, test.bootstrap, string(bootstrap), "the caller's bytes must stay as they are")
		})
	}
}

func TestUserDataInsertsHostNameLiterally(t *testing.T) {
	assert.Equal(t, "a: $1${x}\n", string(renderer.UserData([]byte("a: {{ ds.meta_data.hostname }}\n"), "$1${x}")))
}
