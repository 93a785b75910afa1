package prismsim

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// taskPrefix stands before the UUID of a task in the v4 API: base64 of "ergon". A task of an older API may also be asked for
// with the prefix "legacy".
const (
	taskPrefix   = "ZXJnb24="
	legacyPrefix = "legacy"
)

// v4Task is what only the v4 view of a task shows.
type v4Task struct {
	// isV4 says that the task was started through the v4 API. The failures of others are a legacyErrorMessage.
	isV4        bool
	namespace   string
	description string
	elements    []string          // UUIDs of Prism Elements
	details     map[string]string // completionDetails, set by the work
	failure     *taskMessage
}

// taskOrder describes a task of the v4 API.
type taskOrder struct {
	operation   string // for example "kVmSetPowerState"
	description string
	duration    time.Duration
	entities    []TaskEntity
	elements    []string // UUIDs of Prism Elements
	// queue holds the tasks that this one waits for; nil: it waits for none.
	queue *taskQueue
	// work is done under the server's mutex when the duration is over. It may add entities and details to the task.
	work func(t *task) *taskError
}

// order starts a task for a request; the caller holds the server's mutex. Task faults of the request apply to it: before the
// work nothing is done, after it its effect stays.
func (e *estate) order(ctx context.Context, namespace string, o taskOrder) *task {
	t := &task{
		Task:     Task{UUID: uuid.NewString(), Operation: o.operation, Status: taskQueued, Created: time.Now(), Entities: o.entities},
		duration: o.duration,
		v4:       v4Task{isV4: true, namespace: namespace, description: o.description, elements: o.elements},
	}
	queue := o.queue
	if queue == nil {
		queue = &taskQueue{}
	}
	e.queueTask(t, queue, taskFault(ctx), taskWork{do: func() *taskError { return o.work(t) }})
	return t
}

// affect adds an entity, for work that makes one.
func (t *task) affect(e TaskEntity) { t.Entities = append(t.Entities, e) }

// complete adds an entry to completionDetails.
func (t *task) complete(name, value string) {
	if t.v4.details == nil {
		t.v4.details = map[string]string{}
	}
	t.v4.details[name] = value
}

// fails makes the failure of a task out of an error of the v4 API.
func (e *v4Error) fails() *taskError {
	return &taskError{
		code: e.group, detail: e.message, v4: &taskMessage{code: e.code, group: e.group, message: e.message, arguments: e.arguments},
	}
}

// messageError returns the message of a task in the form of an error of the v4 API.
func messageError(m *taskMessage) *v4Error {
	return &v4Error{code: m.code, group: m.group, message: m.message, arguments: m.arguments}
}

// internalErrors are what the namespaces say of a failure that they do not know better.
var internalErrors = map[string]taskMessage{
	"vmm":        {code: "VMM-10000", group: "INTERNAL_ERROR"},
	"networking": {code: "NETWORKING-20007", group: "API_INTERNAL_ERROR"},
	"prism":      {code: "CTGRS-50000", group: "INTERNAL_ERROR"},
	"volumes":    {code: "VOL-40000", group: "INTERNAL_ERROR"},
}

// taskErrorOf is how a task fails by this fault.
func taskErrorOf(fault *Fault, t *task) *taskError {
	out := &taskError{code: "INTERNAL_ERROR", detail: fault.TaskError}
	if t.v4.isV4 {
		failure := internalErrors[t.v4.namespace]
		failure.message = fault.TaskError
		if fault.TaskCode != "" {
			failure.code, failure.group = fault.TaskCode, fault.TaskGroup
		}
		out.v4 = &failure
	}
	return out
}

func taskID(t *task) string { return taskPrefix + ":" + t.UUID }

// affectedEntities gives the entities of a task of any API.
func affectedEntities(t *task, rules Rules) []object {
	out := []object{}
	for _, e := range t.entities(rules) {
		ref := typed("prism.v4.config.EntityReference", object{"extId": e.UUID, "rel": e.Rel})
		if e.Name != "" {
			ref["name"] = e.Name
		}
		out = append(out, ref)
	}
	return out
}

// taskObject gives the body of GET /tasks/{extId}.
func taskObject(t *task, owner string, rules Rules) object {
	view := t.view()
	entities := affectedEntities(t, rules)
	out := typed("prism.v4.config.Task", object{
		"extId": taskID(t), "operation": view.Operation, "operationDescription": t.v4.description, "status": view.Status,
		"progressPercentage": view.Percent, "createdTime": v4Time(view.Created), "isCancelable": false, "isBackgroundTask": false,
		"entitiesAffected": entities, "numberOfEntitiesAffected": len(entities), "numberOfSubtasks": 0,
		"ownedBy": typed("prism.v4.config.OwnerReference", object{"extId": owner, "name": "admin"}),
	})
	if clusters := taskClusters(t); len(clusters) > 0 {
		out["clusterExtIds"] = clusters
	}
	last := view.Created
	if !t.started.IsZero() {
		out["startedTime"], last = v4Time(t.started), t.started
	}
	if !view.Completed.IsZero() {
		out["completedTime"], last = v4Time(view.Completed), view.Completed
	}
	out["lastUpdatedTime"] = v4Time(last)
	if len(t.v4.details) > 0 && view.Status == taskSucceeded {
		out["completionDetails"] = keyValues(t.v4.details)
	}
	switch {
	case view.Status == taskFailed && t.v4.failure != nil:
		out["errorMessages"] = []object{messageError(t.v4.failure).appMessage("prism")}
	case view.Status == taskFailed:
		out["legacyErrorMessage"] = view.Error
	}
	return out
}

func taskClusters(t *task) []string {
	if t.element != nil {
		return []string{t.element.UUID}
	}
	return t.v4.elements
}

// keyValues gives a map as a list of pairs, ordered by name.
func keyValues(values map[string]string) []object {
	names := []string{}
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	out := []object{}
	for _, name := range names {
		out = append(out, typed("common.v1.config.KVPair", object{"name": name, "value": values[name], "$valueItemDiscriminator": "String"}))
	}
	return out
}

// v4Time writes a time as v4 does: RFC 3339 with microseconds.
func v4Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func (api *v4API) v4GetTask(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	prefix, id, _ := strings.Cut(r.PathValue("extId"), ":")
	t := find(api.tasks.all, func(t *task) bool { return t.UUID == id })
	if t == nil || (prefix != taskPrefix && prefix != legacyPrefix) {
		return nil, &v4Error{
			status: http.StatusNotFound, code: "TSKS-20001", group: "ENTITY_NOT_FOUND",
			message: "Task with extId " + r.PathValue("extId") + " does not exist.",
		}
	}
	return &v4Answer{data: taskObject(t, api.ownerUUID, r.rules)}, nil
}

var taskListing = v4Listing{
	filters: []string{
		"extId", "status", "operation", "operationDescription", "createdTime", "startedTime", "completedTime", "lastUpdatedTime",
		"isBackgroundTask", "progressPercentage", "ownedBy/name", "ownedBy/extId", "clusterExtIds",
		"entitiesAffected/extId", "entitiesAffected/rel", "entitiesAffected/name",
	},
	orders: []string{"createdTime", "startedTime", "completedTime", "lastUpdatedTime"},
}

func (api *v4API) v4ListTasks(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	items := []object{}
	for _, t := range api.tasks.listed(api.rules.lag("task")) {
		items = append(items, taskObject(t, api.ownerUUID, r.rules))
	}
	api.mu.Unlock()
	return taskListing.answer(r, items)
}
