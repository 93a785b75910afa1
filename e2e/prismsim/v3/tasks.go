package v3

import (
	"net/http"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

func (api *API) listTasks(r *http.Request) (int, any, error) {
	return api.list(r, "task", func() ([]listItem, error) {
		items := []listItem{}
		for _, t := range api.Tasks.Listed(api.Rules.Lag("task")) {
			items = append(items, listItem{uuid: t.UUID, body: taskBody(t, api.Rules), attributes: table(map[string]string{
				"uuid": t.UUID, "status": t.Status, "operation_type": t.Operation, "creation_time": wire.Timestamp(t.Created),
				"entity_reference_list.uuid": t.VM, "entity_uuid": t.VM,
			})})
		}
		return items, nil
	})
}

// taskBody returns the body of the response to GET /tasks/{uuid}.
func taskBody(t *model.Task, rules model.Rules) map[string]any {
	view := t.View()
	body := map[string]any{
		"api_version": wire.APIVersion, "uuid": view.UUID, "status": view.Status, "percentage_complete": view.Percent,
		"operation_type": view.Operation, "progress_message": view.Operation,
		"creation_time": wire.Timestamp(view.Created), "creation_time_usecs": view.Created.UnixMicro(),
		"last_update_time": wire.Timestamp(view.Created), "logical_timestamp": 1, "subtask_reference_list": []any{},
		"entity_reference_list": taskReferences(t, rules),
	}
	if t.PrismElement != nil {
		body["cluster_reference"] = t.PrismElement
	}
	if !t.Started.IsZero() {
		body["start_time"], body["start_time_usecs"] = wire.Timestamp(t.Started), t.Started.UnixMicro()
		body["last_update_time"], body["logical_timestamp"] = wire.Timestamp(t.Started), 2
	}
	if !view.Completed.IsZero() {
		body["completion_time"], body["completion_time_usecs"] = wire.Timestamp(view.Completed), view.Completed.UnixMicro()
		body["last_update_time"], body["logical_timestamp"] = wire.Timestamp(view.Completed), 3
	}
	if view.Error != "" {
		body["error_detail"], body["error_code"] = view.Error, t.Code
	}
	return body
}

// taskReferences returns references to the entities of a task. The kind in each reference is the last part of the
// entity's v4 type.
func taskReferences(t *model.Task, rules model.Rules) []wire.Reference {
	out := []wire.Reference{}
	for _, e := range t.ShownEntities(rules) {
		out = append(out, wire.Reference{Kind: e.Rel[strings.LastIndexByte(e.Rel, ':')+1:], Name: e.Name, UUID: e.UUID})
	}
	return out
}

func (api *API) getTask(r *http.Request) (int, any, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	id := r.PathValue("uuid")
	t := model.Find(api.Tasks.All, func(t *model.Task) bool { return t.UUID == id })
	if t == nil {
		return 0, nil, wire.NotFound("task", "The task "+id)
	}
	return http.StatusOK, taskBody(t, api.Rules), nil
}
