package controllertest

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

var (
	powerArgument         = regexp.MustCompile(`power_state = "(.*)"`)
	categoryKeyArgument   = regexp.MustCompile(`\n  category_key += "(.*)"`)
	categoryValueArgument = regexp.MustCompile(`\n  category_value += "(.*)"`)
)

// v4CategoriesPath is the path of categories in the v4 API.
const v4CategoriesPath = "/api/prism/v4.2/config/categories"

// createV4 creates the VM that the workspace describes and switches it on, as provider 2.4.2 does. If the VM cannot be switched on, createV4
// returns its UUID and an error.
func (w *workspace) createV4(ctx context.Context) (string, error) {
	main := w.files["main.tf"]
	vm := VM{Name: string(nameArgument.FindSubmatch(main)[1]), Description: string(textArgument.FindSubmatch(main)[1]),
		PrismElement: string(elementArgument.FindSubmatch(main)[1]), Addresses: w.terraform.Addresses}
	vm.MemoryMiB, _, vm.CategoryUUIDs = w.desired()
	body, err := json.Marshal(vm)
	if err != nil {
		return "", err
	}
	task, err := w.sendV4(ctx, http.MethodPost, v4Base+v4VMs, body)
	if err != nil {
		return "", err
	}
	ended, err := w.sendV4(ctx, http.MethodGet, "/api/prism/v4.2/"+v4Tasks+"/"+task.ExtID, nil)
	if err != nil {
		return "", err
	}
	if err := w.terraform.enter("power-on"); err != nil {
		return "", err // the run ends before the VM is in the state
	}
	id := ended.EntitiesAffected[0].ExtID
	_, err = w.sendV4(ctx, http.MethodPost, v4Base+v4VMs+"/"+id+v4PowerOn, nil)
	return id, err
}

func (w *workspace) createCategory(ctx context.Context) (string, error) {
	main := w.files["main.tf"]
	body, err := json.Marshal(map[string]string{
		"key": string(categoryKeyArgument.FindSubmatch(main)[1]), "value": string(categoryValueArgument.FindSubmatch(main)[1]),
	})
	if err != nil {
		return "", err
	}
	made, err := w.sendV4(ctx, http.MethodPost, v4CategoriesPath, body)
	return made.ExtID, err
}

func (w *workspace) destroyV4(ctx context.Context, resource terraform.Resource) error {
	path := v4Base + v4VMs
	if resource.Address == renderer.CategoryAddressV4 || resource.Address == renderer.ControlPlaneCategoryAddress {
		path = v4CategoriesPath
	}
	_, err := w.session.sendTo(ctx, http.MethodDelete, path+"/"+resource.ID, nil)
	return err
}

// v4Data is the part of a response that contains a task, a VM or a category.
type v4Data struct {
	ExtID            string `json:"extId"`
	EntitiesAffected []struct {
		ExtID string `json:"extId"`
	} `json:"entitiesAffected"`
}

func (w *workspace) sendV4(ctx context.Context, method, path string, body []byte) (v4Data, error) {
	content, err := w.session.sendTo(ctx, method, path, body)
	if err != nil {
		return v4Data{}, err
	}
	var response struct {
		Data v4Data `json:"data"`
	}
	return response.Data, json.Unmarshal(content, &response)
}

// exists reports whether Prism contains the resource with the UUID id.
func (w *workspace) exists(id string) bool {
	p := w.terraform.Prism
	for _, vm := range p.VMs() {
		if vm.UUID == id {
			return true
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pair := range p.categories {
		if CategoryUUID(pair[0], pair[1]) == id {
			return true
		}
	}
	return false
}

// desiredPower returns the power state that the workspace requests, or an empty string with the v3 API.
func (w *workspace) desiredPower() string {
	if found := powerArgument.FindStringSubmatch(string(w.files[renderer.PowerStateFile])); found != nil {
		return found[1]
	}
	return ""
}

// uuidsIn returns the UUIDs in the list of categories in a workspace file.
func uuidsIn(file []byte) []string {
	var uuids []string
	if list := categoryList.FindSubmatch(file); list != nil {
		for _, entry := range listedUUID.FindAllStringSubmatch(string(list[1]), -1) {
			uuids = append(uuids, strings.ToLower(entry[1]))
		}
	}
	return uuids
}
