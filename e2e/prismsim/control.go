package prismsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// State is the page that GET /sim/state shows.
type State struct {
	Username     string        `json:"username"`
	VMs          []VM          `json:"vms"`
	Tasks        []Task        `json:"tasks"`
	Categories   []Category    `json:"categories"`
	Faults       []Fault       `json:"faults"`
	Requests     int           `json:"requests"`
	Rules        Rules         `json:"rules"`
	VolumeGroups []VolumeGroup `json:"volumeGroups"`
	Network      NetworkState  `json:"network"`
}

// control serves what a real Prism Central does not have: looking behind the scenes and making things go wrong.
func (c *control) handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, e endpoint) { mux.Handle(pattern, e) }
	handle("GET /sim/state", c.getState)
	handle("GET /sim/requests", func(*http.Request) (int, any, error) { return http.StatusOK, c.Requests(), nil })
	handle("GET /sim/faults", func(*http.Request) (int, any, error) { return http.StatusOK, c.faults.List(), nil })
	handle("POST /sim/faults", c.postFault)
	handle("DELETE /sim/faults", func(*http.Request) (int, any, error) {
		c.faults.Clear()
		return http.StatusNoContent, nil, nil
	})
	handle("DELETE /sim/faults/{id}", func(r *http.Request) (int, any, error) {
		c.faults.Clear(r.PathValue("id"))
		return http.StatusNoContent, nil, nil
	})
	handle("GET /sim/network-rules", func(*http.Request) (int, any, error) { return http.StatusOK, c.NetworkRules(), nil })
	handle("PUT /sim/network-rules", c.putNetworkRules)
	c.rulesControl(handle)
	handle("POST /sim/images", c.postImage)
	c.accountControl(handle)
	c.connectionControl(handle)
	c.vmControl(handle)
	c.volumeGroupControl(handle)
	c.v4Control(handle)
	return mux
}

func (c *control) getState(*http.Request) (int, any, error) {
	return http.StatusOK, State{
		Username: c.username, VMs: c.VMs(), Tasks: c.Tasks(), Categories: c.Categories(),
		Faults: c.faults.List(), Requests: len(c.Requests()), Rules: c.Rules(), VolumeGroups: c.VolumeGroups(), Network: c.networkState(),
	}, nil
}

func (c *control) postFault(r *http.Request) (int, any, error) {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	var fault Fault
	if err := decoder.Decode(&fault); err != nil {
		return 0, nil, badControl(fmt.Errorf("reading fault: %w", err))
	}
	id, err := c.faults.Set(fault)
	if err != nil {
		return 0, nil, badControl(err)
	}
	return http.StatusCreated, map[string]string{"id": id}, nil
}

func (c *control) postImage(r *http.Request) (int, any, error) {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	var image Image
	if err := decoder.Decode(&image); err != nil {
		return 0, nil, badControl(fmt.Errorf("reading image: %w", err))
	}
	id, err := c.AddImage(image)
	if err != nil {
		return 0, nil, badControl(err)
	}
	return http.StatusCreated, map[string]string{"uuid": id}, nil
}

func badControl(err error) error {
	return &apiError{status: http.StatusBadRequest, kind: "sim", reason: reasonInvalidRequest, message: err.Error()}
}

// AddImage adds an image, also one whose name exists already, and gives its UUID.
func (c *control) AddImage(image Image) (string, error) {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	image.defaults(len(c.estate.images.all))
	if image.Name == "" || !isUUID(image.UUID) || c.estate.imageByUUID(image.UUID) != nil {
		return "", fmt.Errorf("adding image %q: it needs a name and a UUID of its own, or none", image.Name)
	}
	if image.Created == nil {
		image.Created = new(time.Now().UTC().Truncate(time.Second))
	}
	return c.estate.addImage(image).UUID, nil
}

// RemoveImage removes an image from the list; disks made of it stay.
func (c *control) RemoveImage(uuid string) error {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	image := c.estate.imageByUUID(uuid)
	if image == nil {
		return notFound("image", "The image "+uuid)
	}
	c.estate.images.remove(image)
	return nil
}

// AddCategory adds a key with values, or values to a key.
func (c *control) AddCategory(key string, values ...string) {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	c.estate.addCategory(Category{Key: key, Values: values})
}

// Categories gives all keys with their values, in order of creation.
func (c *control) Categories() []Category {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	return c.estate.exportCategories()
}

// CategoryValues gives the values of one key; it is empty when the key does not exist.
func (c *control) CategoryValues(key string) []string {
	for _, c := range c.Categories() {
		if c.Key == key {
			return c.Values
		}
	}
	return nil
}

// UUID gives the UUID of an entity of the inventory by kind (cluster, subnet, vpc, image, project, host, storage_container)
// and name, the first one when several share the name.
func (c *control) UUID(kind, name string) (string, error) {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	var known []string
	for _, entity := range c.estate.names(kind) {
		if entity.name == name {
			return entity.uuid, nil
		}
		known = append(known, entity.name)
	}
	return "", fmt.Errorf("finding %s %q: the inventory has %s", kind, name, strings.Join(known, ", "))
}
