package main

import (
	"context"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"
)

// newCategory returns the resource for a category. A pair that exists cannot be created. A changed key is ignored.
func newCategory() *schema.Resource {
	return &schema.Resource{
		CreateContext: createCategory, ReadContext: readCategory, UpdateContext: updateCategory, DeleteContext: deleteCategory,
		Importer: importer, Schema: schemas["nutanix_category_v2"].schema(),
	}
}

func createCategory(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	category := &config.Category{}
	writeCategory(category, func(name string) (string, bool) {
		value, set := d.GetOk(name)
		return value.(string), set
	}, "key", "value", "type", "description", "owner_uuid")
	created, err := meta.(*client).categories.CreateCategory(category)
	if err != nil {
		return diag.Errorf("error while creating category: %v", err)
	}
	d.SetId(valueOf(created.GetData().(config.Category).ExtId))
	return readCategory(ctx, d, meta)
}

// writeCategory sets the given attributes of a category for which get returns a value.
func writeCategory(category *config.Category, get func(name string) (string, bool), names ...string) {
	for _, name := range names {
		value, set := get(name)
		if !set {
			continue
		}
		switch name {
		case "key":
			category.Key = &value
		case "value":
			category.Value = &value
		case "description":
			category.Description = &value
		case "owner_uuid":
			category.OwnerUuid = &value
		case "type":
			category.Type = map[string]*config.CategoryType{
				"USER": config.CATEGORYTYPE_USER.Ref(), "SYSTEM": config.CATEGORYTYPE_SYSTEM.Ref(), "INTERNAL": config.CATEGORYTYPE_INTERNAL.Ref(),
			}[value]
		}
	}
}

func readCategory(_ context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	found, err := meta.(*client).categories.GetCategoryById(pointerTo(d.Id()), nil)
	if err != nil {
		return diag.Errorf("error while fetching category : %v", err)
	}
	category := found.GetData().(config.Category)
	kind := unknown
	if category.Type != nil {
		kind = category.Type.GetName()
	}
	return setAll(d, map[string]any{
		"key": category.Key, "value": category.Value, "type": kind, "description": category.Description, "owner_uuid": category.OwnerUuid,
		"associations": []any(nil), "detailed_associations": []any(nil), // no request asks Prism Central for them
	})
}

// setAll sets attributes of the state.
func setAll(d *schema.ResourceData, attributes map[string]any) diag.Diagnostics {
	for name, value := range attributes {
		if err := d.Set(name, value); err != nil {
			return diag.FromErr(err)
		}
	}
	return nil
}

func updateCategory(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	c := meta.(*client)
	found, err := c.categories.GetCategoryById(pointerTo(d.Id()), nil)
	if err != nil {
		return diag.Errorf("error while fetching categories : %v", err)
	}
	category := found.GetData().(config.Category)
	writeCategory(&category, func(name string) (string, bool) { return d.Get(name).(string), d.HasChange(name) },
		"value", "type", "description", "owner_uuid")
	if _, err := c.categories.UpdateCategoryById(pointerTo(d.Id()), &category); err != nil {
		return diag.Errorf("error while updating categories : %v", nil)
	}
	return readCategory(ctx, d, meta)
}

func deleteCategory(_ context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	if _, err := meta.(*client).categories.DeleteCategoryById(pointerTo(d.Id())); err != nil {
		return diag.Errorf("error while deleting category : %v", err)
	}
	return nil
}
