package control

import (
	"fmt"
	"strings"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// AddImage adds an image and returns the UUID of the image. Several images may have the same name.
func (c *Control) AddImage(image inventory.Image) (string, error) {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	image.SetDefaults(len(c.central.Images.All))
	if image.Name == "" || !inventory.IsUUID(image.UUID) || c.central.ImageByUUID(image.UUID) != nil {
		return "", fmt.Errorf("adding image %q: it needs a name and a UUID of its own, or none", image.Name)
	}
	if image.Created == nil {
		image.Created = new(time.Now().UTC().Truncate(time.Second))
	}
	return c.central.AddImage(image).UUID, nil
}

// RemoveImage removes an image. Disks that were created from the image stay.
func (c *Control) RemoveImage(uuid string) error {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	image := c.central.ImageByUUID(uuid)
	if image == nil {
		return wire.NotFound("image", "The image "+uuid)
	}
	c.central.Images.Remove(image)
	return nil
}

// AddCategory adds a category key with values. If the key exists, AddCategory adds the values to it.
func (c *Control) AddCategory(key string, values ...string) {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	c.central.AddCategory(inventory.Category{Key: key, Values: values})
}

// Categories returns all keys with their values, in order of creation.
func (c *Control) Categories() []inventory.Category {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	return c.central.CategoryViews()
}

// CategoryValues returns the values of a category key. If the key does not exist, the result is empty.
func (c *Control) CategoryValues(key string) []string {
	for _, c := range c.Categories() {
		if c.Key == key {
			return c.Values
		}
	}
	return nil
}

// UUID returns the UUID of the first inventory entity with the kind (cluster, subnet, vpc, image, project, host,
// storage_container) and the name.
func (c *Control) UUID(kind, name string) (string, error) {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	var known []string
	for _, entity := range c.central.Names(kind) {
		if entity.Name == name {
			return entity.UUID, nil
		}
		known = append(known, entity.Name)
	}
	return "", fmt.Errorf("finding %s %q: the inventory has %s", kind, name, strings.Join(known, ", "))
}

// SetPrismElementCategories replaces the categories of the Prism Element with the name. categories contains the values
// by key. Categories that do not exist are created.
func (c *Control) SetPrismElementCategories(name string, categories map[string][]string) error {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	pe := c.central.PrismElementByName(name)
	if pe == nil {
		return wire.NotFound("cluster", "The cluster "+name)
	}
	c.central.AssignToPrismElement(pe, categories)
	return nil
}

// CategoryID returns the ID of a category in the v4 API.
func (c *Control) CategoryID(key, value string) (string, error) {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	if v := c.central.Category(key).Value(value); v != nil {
		return v.UUID, nil
	}
	return "", fmt.Errorf("finding category %s:%s: there is none", key, value)
}
