package gateway

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAcceptedDeletionsAreReported(t *testing.T) {
	const vm = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
	tests := map[string]struct {
		method, path string
		status       int
		want         []string
	}{
		"v3":                  {http.MethodDelete, "/api/nutanix/v3/vms/" + vm, http.StatusAccepted, []string{vm}},
		"v4":                  {http.MethodDelete, "/api/vmm/v4.2/ahv/config/vms/" + vm, http.StatusAccepted, []string{vm}},
		"not found":           {http.MethodDelete, "/api/nutanix/v3/vms/" + vm, http.StatusNotFound, nil},
		"refused":             {http.MethodDelete, "/api/nutanix/v3/vms/" + vm, http.StatusUnprocessableEntity, nil},
		"failed":              {http.MethodDelete, "/api/nutanix/v3/vms/" + vm, http.StatusBadGateway, nil},
		"another method":      {http.MethodGet, "/api/nutanix/v3/vms/" + vm, http.StatusOK, nil},
		"another resource":    {http.MethodDelete, "/api/nutanix/v3/images/" + vm, http.StatusAccepted, nil},
		"a part of a VM (v4)": {http.MethodDelete, "/api/vmm/v4.2/ahv/config/vms/" + vm + "/gpus/1", http.StatusAccepted, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			central := newCentral(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(test.status) })
			var deleted []string
			session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite,
				Deleted: func(uuid string) { deleted = append(deleted, uuid) }})
			status, _ := childOf(t, session).do(t, test.method, test.path, "")
			assert.Equal(t, test.status, status)
			assert.Equal(t, test.want, deleted)
		})
	}
}
