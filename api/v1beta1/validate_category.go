package v1beta1

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateCategories checks both lists of categories. The same category may be in both lists. A key may have several values, because
// Prism's v4 API accepts them. The validation does not know which API the cluster uses: see AmbiguousCategory.
func validateCategories(path *field.Path, categories, additional []NutanixCategoryIdentifier) field.ErrorList {
	errs := validateCategoryList(path.Child("categories"), categories)
	return append(errs, validateCategoryList(path.Child("additionalCategories"), additional)...)
}

func validateCategoryList(path *field.Path, categories []NutanixCategoryIdentifier) field.ErrorList {
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
		switch category.Key {
		case CategoryKey:
			errs = append(errs, field.Forbidden(item.Child("key"),
				fmt.Sprintf("%s is reserved for the mark of the cluster: remove this entry", CategoryKey)))
		case ControlPlaneCategoryKey:
			errs = append(errs, field.Forbidden(item.Child("key"), fmt.Sprintf(
				"%s is reserved for the control plane: remove this entry, and set spec.controlPlaneAntiAffinity of the NutanixCluster", ControlPlaneCategoryKey)))
		}
	}
	return errs
}

// MergedCategories returns categories and additionalCategories without duplicates, sorted by key and value.
func (s *NutanixMachineSpec) MergedCategories() []NutanixCategoryIdentifier {
	merged := slices.Concat(s.Categories, s.AdditionalCategories)
	slices.SortFunc(merged, func(a, b NutanixCategoryIdentifier) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Value, b.Value))
	})
	return slices.Compact(merged)
}

// AmbiguousCategory returns a category key for which the spec contains several values, or an empty string. Prism's v3 API accepts only one
// value per key of a VM.
func (s *NutanixMachineSpec) AmbiguousCategory() string {
	merged := s.MergedCategories()
	for i := 1; i < len(merged); i++ {
		if merged[i].Key == merged[i-1].Key {
			return merged[i].Key
		}
	}
	return ""
}
