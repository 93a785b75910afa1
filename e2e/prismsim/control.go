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
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, e endpoint) { mux.Handle(pattern, e) }
	handle("GET /sim/state", s.getState)
	handle("GET /sim/requests", func(*http.Request) (int, any, error) { return http.StatusOK, s.Requests(), nil })
	handle("GET /sim/faults", func(*http.Request) (int, any, error) { return http.StatusOK, s.faults.List(), nil })
	handle("POST /sim/faults", s.postFault)
	handle("DELETE /sim/faults", func(*http.Request) (int, any, error) {
		s.faults.Clear()
		return http.StatusNoContent, nil, nil
	})
	handle("DELETE /sim/faults/{id}", func(r *http.Request) (int, any, error) {
		s.faults.Clear(r.PathValue("id"))
		return http.StatusNoContent, nil, nil
	})
	handle("GET /sim/network-rules", func(*http.Request) (int, any, error) { return http.StatusOK, s.NetworkRules(), nil })
	handle("PUT /sim/network-rules", s.putNetworkRules)
	s.rulesControl(handle)
	handle("POST /sim/images", s.postImage)
	s.accountControl(handle)
	s.connectionControl(handle)
	s.vmControl(handle)
	s.volumeGroupControl(handle)
	s.v4Control(handle)
	return mux
}

func (s *Server) getState(*http.Request) (int, any, error) {
	return http.StatusOK, State{
		Username: s.opts.Username, VMs: s.VMs(), Tasks: s.Tasks(), Categories: s.Categories(),
		Faults: s.faults.List(), Requests: len(s.Requests()), Rules: s.Rules(), VolumeGroups: s.VolumeGroups(), Network: s.networkState(),
	}, nil
}

func (s *Server) postFault(r *http.Request) (int, any, error) {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	var fault Fault
	if err := decoder.Decode(&fault); err != nil {
		return 0, nil, badControl(fmt.Errorf("reading fault: %w", err))
	}
	id, err := s.faults.Set(fault)
	if err != nil {
		return 0, nil, badControl(err)
	}
	return http.StatusCreated, map[string]string{"id": id}, nil
}

func (s *Server) postImage(r *http.Request) (int, any, error) {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	var image Image
	if err := decoder.Decode(&image); err != nil {
		return 0, nil, badControl(fmt.Errorf("reading image: %w", err))
	}
	id, err := s.AddImage(image)
	if err != nil {
		return 0, nil, badControl(err)
	}
	return http.StatusCreated, map[string]string{"uuid": id}, nil
}

func badControl(err error) error {
	return &apiError{status: http.StatusBadRequest, kind: "sim", reason: reasonInvalidRequest, message: err.Error()}
}

// AddImage adds an image, also one whose name exists already, and gives its UUID.
func (s *Server) AddImage(image Image) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	image.defaults(len(s.estate.images.all))
	if image.Name == "" || !uuidPattern.MatchString(image.UUID) || s.estate.imageByUUID(image.UUID) != nil {
		return "", fmt.Errorf("adding image %q: it needs a name and a UUID of its own, or none", image.Name)
	}
	if image.Created == nil {
		image.Created = ptr(time.Now().UTC().Truncate(time.Second))
	}
	return s.estate.addImage(image).UUID, nil
}

// RemoveImage removes an image from the list; disks made of it stay.
func (s *Server) RemoveImage(uuid string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	image := s.estate.imageByUUID(uuid)
	if image == nil {
		return notFound("image", "The image "+uuid)
	}
	s.estate.images.remove(image)
	return nil
}

// AddCategory adds a key with values, or values to a key.
func (s *Server) AddCategory(key string, values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.estate.addCategory(Category{Key: key, Values: values})
}

// Categories gives all keys with their values, in order of creation.
func (s *Server) Categories() []Category {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Category{}
	for _, key := range s.estate.categories.all {
		c := Category{Key: key.name, Description: orZero(key.description), Values: []string{}}
		for _, v := range key.values.all {
			c.Values = append(c.Values, v.value)
		}
		out = append(out, c)
	}
	return out
}

// CategoryValues gives the values of one key; it is empty when the key does not exist.
func (s *Server) CategoryValues(key string) []string {
	for _, c := range s.Categories() {
		if c.Key == key {
			return c.Values
		}
	}
	return nil
}

// UUID gives the UUID of an entity of the inventory by kind (cluster, subnet, vpc, image, project, host, storage_container)
// and name, the first one when several share the name.
func (s *Server) UUID(kind, name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var known []string
	for _, rec := range s.records(kind) {
		values, _ := rec.attributes("name")
		if values[0] == name {
			return rec.uuid, nil
		}
		known = append(known, values[0])
	}
	return "", fmt.Errorf("finding %s %q: the inventory has %s", kind, name, strings.Join(known, ", "))
}
