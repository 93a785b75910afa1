package inventory

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/ipam"
)

var uuidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// IsUUID reports whether a string is a UUID with dashes.
func IsUUID(text string) bool { return uuidPattern.MatchString(text) }

// complete sets defaults and returns all errors of the inventory at once.
func (inv *Inventory) complete() (*Inventory, error) {
	if len(inv.PrismElements) == 0 {
		return nil, errors.New("checking prismElements: the list is empty, at least one is needed")
	}
	inv.defaults()
	check := &checker{uuids: map[string]string{}}
	check.oneOf("prismCentral.apiVersion", inv.PrismCentral.APIVersion, "v4.0", "v4.1", "v4.2", "v4.3")
	check.elements(inv.PrismElements)
	check.subnets(inv)
	check.vpcs(inv)
	for i, img := range inv.Images {
		at := fmt.Sprintf("images[%d] (%q)", i, img.Name)
		check.named(at, img.Name, img.UUID)
		check.oneOf(at+".type", img.Type, "DISK_IMAGE", "ISO_IMAGE")
		if img.Size.Sign() <= 0 {
			check.fail(at+".size", "must be greater than zero")
		}
	}
	for i, p := range inv.Projects {
		check.named(fmt.Sprintf("projects[%d] (%q)", i, p.Name), p.Name, p.UUID)
	}
	check.categories(inv.Categories)
	if err := errors.Join(check.errs...); err != nil {
		return nil, err
	}
	return inv, nil
}

// checker collects errors. Each error names a field and the valid values of the field.
type checker struct {
	uuids map[string]string
	errs  []error
}

func (c *checker) fail(at, format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("checking %s: %s", at, fmt.Sprintf(format, args...)))
}

func (c *checker) oneOf(at, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		c.fail(at, "%q is not one of %s", value, strings.Join(allowed, ", "))
	}
}

func (c *checker) named(at, name, uuid string) {
	if name == "" {
		c.fail(at+".name", "must not be empty")
	}
	if !IsUUID(uuid) {
		c.fail(at+".uuid", "%q is not a UUID", uuid)
	}
	if other, taken := c.uuids[uuid]; taken {
		c.fail(at+".uuid", "%s is also the UUID of %s; give one of them another uuid or name", uuid, other)
	}
	c.uuids[uuid] = at
}

func (c *checker) elements(elements []PrismElement) {
	for i, pe := range elements {
		at := fmt.Sprintf("prismElements[%d] (%q)", i, pe.Name)
		c.named(at, pe.Name, pe.UUID)
		for j, h := range pe.Hosts {
			host := fmt.Sprintf("%s.hosts[%d]", at, j)
			c.named(host, h.Name, h.UUID)
			for k, g := range h.GPUs {
				c.oneOf(fmt.Sprintf("%s.gpus[%d].mode", host, k), g.Mode, "PASSTHROUGH_GRAPHICS", "PASSTHROUGH_COMPUTE", ModeVirtual)
				c.oneOf(fmt.Sprintf("%s.gpus[%d].vendor", host, k), g.Vendor, "NVIDIA", "INTEL", "AMD")
			}
		}
		for j, sc := range pe.StorageContainers {
			c.named(fmt.Sprintf("%s.storageContainers[%d]", at, j), sc.Name, sc.UUID)
		}
	}
}

func (c *checker) subnets(inv *Inventory) {
	for i, n := range inv.Subnets {
		at := fmt.Sprintf("subnets[%d] (%q)", i, n.Name)
		c.named(at, n.Name, n.UUID)
		c.oneOf(at+".type", n.Type, typeVLAN, TypeOverlay)
		known := slices.ContainsFunc(inv.PrismElements, func(pe PrismElement) bool { return pe.Name == n.PrismElement })
		switch {
		case n.Type == TypeOverlay && n.PrismElement != "":
			c.fail(at+".prismElement", "an overlay subnet belongs to no Prism Element; leave it out")
		case n.Type == typeVLAN && !known:
			c.fail(at+".prismElement", "%q is not in prismElements", n.PrismElement)
		}
		c.addresses(at, n.CIDR, n.Pools, n.IPAM)
		if n.IPv6 != nil {
			c.addresses(at+".ipv6", n.IPv6.CIDR, n.IPv6.Pools, true)
		}
		if n.Gateway != "" {
			if _, err := netip.ParseAddr(n.Gateway); err != nil {
				c.fail(at+".gateway", "%q is not an address", n.Gateway)
			}
		}
	}
}

func (c *checker) addresses(at, cidr string, pools []string, required bool) {
	if cidr == "" && len(pools) == 0 && !required {
		return
	}
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		c.fail(at+".cidr", "%q is not a CIDR such as 127.40.1.0/24", cidr)
		return
	}
	if required && len(pools) == 0 {
		c.fail(at+".pools", "must name at least one range such as 127.40.1.10-127.40.1.250")
	}
	for i, pool := range pools {
		if _, err := ipam.ParseRange(prefix, pool); err != nil {
			c.fail(fmt.Sprintf("%s.pools[%d]", at, i), "%s", err)
		}
	}
}

func (c *checker) categories(categories []Category) {
	seen := map[string]bool{}
	for i, cat := range categories {
		at := fmt.Sprintf("categories[%d] (%q)", i, cat.Key)
		if cat.Key == "" {
			c.fail(at+".key", "must not be empty")
		}
		if seen[cat.Key] {
			c.fail(at+".key", "appears twice; put all values under one key")
		}
		seen[cat.Key] = true
		if slices.Contains(cat.Values, "") {
			c.fail(at+".values", "must not contain an empty value")
		}
	}
}
