package v4

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/model"
)

// taskPrefix is the part of a v4 task ID before the UUID. It is the base64 encoding of "ergon". Clients can also read
// tasks with the prefix "legacy".
const (
	taskPrefix   = "ZXJnb24="
	legacyPrefix = "legacy"
)

// Fails converts an Error to the error of a task.
func (e *Error) Fails() *model.TaskError {
	return &model.TaskError{
		Code: e.Group, Detail: e.Message, V4: &model.TaskMessage{Code: e.Code, Group: e.Group, Message: e.Message, Arguments: e.Arguments},
	}
}

// messageError converts the error message of a task to an Error.
func messageError(m *model.TaskMessage) *Error {
	return &Error{Code: m.Code, Group: m.Group, Message: m.Message, Arguments: m.Arguments}
}

func taskID(t *model.Task) string { return taskPrefix + ":" + t.UUID }

// affectedEntities returns references to the entities of a task.
func affectedEntities(t *model.Task, rules model.Rules) []Object {
	out := []Object{}
	for _, e := range t.ShownEntities(rules) {
		ref := Typed("prism.v4.config.EntityReference", Object{"extId": e.UUID, "rel": e.Rel})
		if e.Name != "" {
			ref["name"] = e.Name
		}
		out = append(out, ref)
	}
	return out
}

// taskObject returns the body of the response to GET /tasks/{extId}.
func taskObject(t *model.Task, owner string, rules model.Rules) Object {
	view := t.View()
	entities := affectedEntities(t, rules)
	out := Typed("prism.v4.config.Task", Object{
		"extId": taskID(t), "operation": view.Operation, "operationDescription": t.V4.Description, "status": view.Status,
		"progressPercentage": view.Percent, "createdTime": TimeText(view.Created), "isCancelable": false, "isBackgroundTask": false,
		"entitiesAffected": entities, "numberOfEntitiesAffected": len(entities), "numberOfSubtasks": 0,
		"ownedBy": Typed("prism.v4.config.OwnerReference", Object{"extId": owner, "name": "admin"}),
	})
	if clusters := taskClusters(t); len(clusters) > 0 {
		out["clusterExtIds"] = clusters
	}
	last := view.Created
	if !t.Started.IsZero() {
		out["startedTime"], last = TimeText(t.Started), t.Started
	}
	if !view.Completed.IsZero() {
		out["completedTime"], last = TimeText(view.Completed), view.Completed
	}
	out["lastUpdatedTime"] = TimeText(last)
	if len(t.V4.Details) > 0 && view.Status == model.TaskSucceeded {
		out["completionDetails"] = keyValues(t.V4.Details)
	}
	switch {
	case view.Status == model.TaskFailed && t.V4.Failure != nil:
		out["errorMessages"] = []Object{messageError(t.V4.Failure).appMessage("prism")}
	case view.Status == model.TaskFailed && view.Error != "":
		out["legacyErrorMessage"] = view.Error
	}
	return out
}

func taskClusters(t *model.Task) []string {
	if t.PrismElement != nil {
		return []string{t.PrismElement.UUID}
	}
	return t.V4.PrismElements
}

// keyValues converts a map to a list of pairs that is sorted by key.
func keyValues(values map[string]string) []Object {
	names := []string{}
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	out := []Object{}
	for _, name := range names {
		out = append(out, Typed("common.v1.config.KVPair", Object{"name": name, "value": values[name], "$valueItemDiscriminator": "String"}))
	}
	return out
}

// TimeText formats a time for v4: RFC 3339 with microseconds.
func TimeText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func (api *API) getTask(r *Request) (*Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	prefix, id, _ := strings.Cut(r.PathValue("extId"), ":")
	t := model.Find(api.Tasks.All, func(t *model.Task) bool { return t.UUID == id })
	if t == nil || (prefix != taskPrefix && prefix != legacyPrefix) {
		return nil, &Error{
			Status: http.StatusNotFound, Code: "TSKS-20001", Group: "ENTITY_NOT_FOUND",
			Message: "Task with extId " + r.PathValue("extId") + " does not exist.",
		}
	}
	return &Response{Data: taskObject(t, api.OwnerUUID, r.Rules)}, nil
}

var taskListing = Listing{
	Filters: []string{
		"extId", "status", "operation", "operationDescription", "createdTime", "startedTime", "completedTime", "lastUpdatedTime",
		"isBackgroundTask", "progressPercentage", "ownedBy/name", "ownedBy/extId", "clusterExtIds",
		"entitiesAffected/extId", "entitiesAffected/rel", "entitiesAffected/name",
	},
	Orders: []string{"createdTime", "startedTime", "completedTime", "lastUpdatedTime"},
}

func (api *API) listTasks(r *Request) (*Response, error) {
	api.Mu.Lock()
	items := []Object{}
	for _, t := range api.Tasks.Listed(api.Rules.Lag("task")) {
		items = append(items, taskObject(t, api.OwnerUUID, r.Rules))
	}
	api.Mu.Unlock()
	return taskListing.Respond(r, items)
}
