package v1beta1

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateCategories checks both lists of categories together, because they are merged. The same category may be in
// both lists. A key must not have two different values, because Prism's v3 API accepts only one value per key of a VM.
func validateCategories(path *field.Path, categories, additional []NutanixCategoryIdentifier) field.ErrorList {
	values := map[string]string{}
	errs := validateCategoryList(path.Child("categories"), categories, values)
	return append(errs, validateCategoryList(path.Child("additionalCategories"), additional, values)...)
}

func validateCategoryList(path *field.Path, categories []NutanixCategoryIdentifier, values map[string]string) field.ErrorList {
	var errs field.ErrorList
	for i, category := range categories {
		item := path.Index(i)
		if category.Key == "" {
			errs = append(errs, field.Required(item.Child("key"), "set the key of the category"))
			continue
		}
		if category.Value == "" {
			errs = append(errs, field.Required(item.Child("value"), "set the value of the category"))
			continue
		}
		if category.Key == CategoryKey {
			errs = append(errs, field.Forbidden(item.Child("key"),
				fmt.Sprintf("%s is reserved for the mark of the cluster: remove this entry", CategoryKey)))
		}
		if value, found := values[category.Key]; found && value != category.Value {
			errs = append(errs, field.Invalid(item.Child("value"), category.Value,
				fmt.Sprintf("category %s already has the value %q: a VM accepts one value per key, remove one of them", category.Key, value)))
		}
		values[category.Key] = category.Value
	}
	return errs
}

// MergedCategories returns categories and additionalCategories as a map from key to value.
func (s *NutanixMachineSpec) MergedCategories() map[string]string {
	merged := make(map[string]string, len(s.Categories)+len(s.AdditionalCategories))
	for _, list := range [][]NutanixCategoryIdentifier{s.Categories, s.AdditionalCategories} {
		for _, category := range list {
			merged[category.Key] = category.Value
		}
	}
	return merged
}
