package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/resource"
	prism "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/api"
	prismclient "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/client"
	tasks "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"
	vmm "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/api"
	vmmclient "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/client"
	references "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/prism/v4/config"
)

// access says how to reach Prism Central.
type access struct {
	host               string
	port               int
	username, password string
	key                string // API key, used instead of username and password
	headers            map[string]string
}

// client contains the parts of the vendor's SDKs that the resources use.
type client struct {
	categories *prism.CategoriesApi
	tasks      *prism.TasksApi
	vms        *vmm.VmApi
	policies   *vmm.VmAntiAffinityPoliciesApi
}

// newClient returns a client that, like the provider, never verifies the certificate of Prism Central.
func newClient(a access) *client {
	p, v := prismclient.NewApiClient(), vmmclient.NewApiClient()
	if a.host != "" {
		p.Host, p.Port, p.VerifySSL, p.AllowVersionNegotiation = a.host, a.port, false, true
		v.Host, v.Port, v.VerifySSL, v.AllowVersionNegotiation = a.host, a.port, false, true
	}
	headers := map[string]string{}
	if a.key != "" {
		headers["X-Ntnx-Api-Key"] = a.key
	} else {
		p.Username, p.Password, v.Username, v.Password = a.username, a.password, a.username, a.password
	}
	for name, value := range a.headers {
		headers[name] = value
	}
	for name, value := range headers {
		p.AddDefaultHeader(name, value)
		v.AddDefaultHeader(name, value)
	}
	return &client{
		categories: prism.NewCategoriesApi(p), tasks: prism.NewTasksApi(p),
		vms: vmm.NewVmApi(v), policies: vmm.NewVmAntiAffinityPoliciesApi(v),
	}
}

// ifMatch returns the arguments of a call that changes an object that was read.
func (c *client) ifMatch(read any) map[string]any {
	etag := c.vms.ApiClient.GetEtag(read)
	return map[string]any{"If-Match": &etag}
}

// response is a response of an SDK. Its data is nil if the SDK could not decode it.
type response interface{ GetData() any }

// taskOf returns the ID of the task in a response. Like the provider, it crashes if the response contains no task.
func taskOf(r response) *string {
	task := r.GetData().(references.TaskReference)
	return task.ExtId
}

// taskTimeout limits how long the provider waits for a task. It cannot be configured.
const taskTimeout = 20 * time.Minute

// wait waits until a task has succeeded.
func (c *client) wait(ctx context.Context, task *string) error {
	change := resource.StateChangeConf{
		Pending: []string{"PENDING", "RUNNING", "QUEUED"},
		Target:  []string{"SUCCEEDED"},
		Timeout: taskTimeout,
		Refresh: func() (any, string, error) { return c.poll(task) },
	}
	_, err := change.WaitForStateContext(ctx)
	return err
}

// poll returns the status of a task. Like the provider, it crashes if a failed task has no message.
func (c *client) poll(task *string) (any, string, error) {
	found, err := c.tasks.GetTaskById(task, nil)
	if err != nil {
		return "", "", fmt.Errorf("error while polling prism task: %w", err)
	}
	details := found.GetData().(tasks.Task)
	status := ""
	if details.Status != nil {
		status = details.Status.GetName()
	}
	if status == "CANCELED" || status == "FAILED" {
		err = fmt.Errorf("error_detail: %s, progress_message: %d", valueOf(details.ErrorMessages[0].Message), valueOf(details.ProgressPercentage))
	}
	return details, status, err
}

// affected returns the ID of the first object of a kind that a task has changed.
func (c *client) affected(task *string, kind string) (string, bool, error) {
	found, err := c.tasks.GetTaskById(task, nil)
	if err != nil {
		return "", false, err
	}
	for _, entity := range found.GetData().(tasks.Task).EntitiesAffected {
		if valueOf(entity.Rel) == kind {
			return valueOf(entity.ExtId), true, nil
		}
	}
	return "", false, nil
}

// valueOf returns what a pointer points to, or the zero value.
func valueOf[T any](pointer *T) T {
	if pointer == nil {
		return *new(T)
	}
	return *pointer
}

func pointerTo[T any](value T) *T { return &value }
