package prismv4_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/capnt/capnt/internal/prismv4"
	"github.com/capnt/capnt/internal/prismv4/prismv4test"
)

// Short names for the responses of the server.
var (
	answer, page, lost, cut, accepted = prismv4test.Answer, prismv4test.Page, prismv4test.Lost, prismv4test.Cut, prismv4test.Accepted
	items, refusal, taskState, failed = prismv4test.Items, prismv4test.Refusal, prismv4test.TaskState, prismv4test.Failing
)

const (
	vmUUID, taskUUID      = prismv4test.VM, prismv4test.Task
	testPassword, testKey = prismv4test.Password, prismv4test.Key

	vmsPath     = "GET vmm/ahv/config/vms"
	vmPath      = "GET vmm/ahv/config/vms/" + vmUUID
	aVM         = `{"data":{"extId":"` + vmUUID + `","name":"node-1"}}`
	deletedPath = "DELETE networking/config/floating-ips/a"
)

type central struct{ *prismv4test.Server }

func newCentral(t *testing.T) central { return central{prismv4test.New(t)} }

// client returns a client for the server. change may be nil.
func (c central) client(t *testing.T, change func(*prismv4.Endpoint, *prismv4.Limits)) testClient {
	options := c.Options(t, change)
	options.RateLimit = "the rate limit (qps)"
	return testClient{prismv4.New(options)}
}

// testClient has one operation of each kind, like the callers of the package.
type testClient struct{ *prismv4.Client }

type vm struct {
	ExtID, Name, BIOSUUID string
	NumSockets            int
	Categories            []struct{ ExtID string }
}

func (v *vm) uuid() string { return v.ExtID }

func (c testClient) VM(ctx context.Context, uuid string) (*vm, error) {
	id, err := prismv4.Segment("VM", uuid)
	if err != nil {
		return nil, err
	}
	got, _, err := prismv4.Get(ctx, c.Client, prismv4.Object[vm]{Operation: "VM", Namespace: prismv4.VMM, Path: "/ahv/config/vms/" + id, Key: (*vm).uuid, UUID: uuid})
	return got, err
}

type vmFilter struct{ Name, BIOSUUID, CategoryUUID string }

func (f vmFilter) keep(v *vm) bool {
	return (f.Name == "" || v.Name == f.Name) && (f.BIOSUUID == "" || strings.EqualFold(v.BIOSUUID, f.BIOSUUID)) &&
		(f.CategoryUUID == "" || slices.ContainsFunc(v.Categories, func(category struct{ ExtID string }) bool { return strings.EqualFold(category.ExtID, f.CategoryUUID) }))
}

func (c testClient) ListVMs(ctx context.Context, filter vmFilter) ([]vm, error) {
	return prismv4.List(ctx, c.Client, prismv4.Listing[vm, vm]{
		Operation: "ListVMs", Namespace: prismv4.VMM, Path: "/ahv/config/vms", Key: (*vm).uuid, Item: func(v *vm) vm { return *v }, Keep: filter.keep,
		Where: []prismv4.Condition{
			prismv4.Equals("name", filter.Name), prismv4.Equals("biosUuid", filter.BIOSUUID), prismv4.AnyOf("categories", "extId", filter.CategoryUUID),
		},
	})
}

func (c testClient) Delete(ctx context.Context) error {
	_, err := c.Apply(ctx, prismv4.Change{
		Operation: "Delete", Method: http.MethodDelete, Namespace: prismv4.Networking, Path: "/config/floating-ips/a", IfMatch: "etag-1", Object: "a",
	})
	return err
}
