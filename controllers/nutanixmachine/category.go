package nutanixmachine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

// vmCategories are the categories that a machine specifies for its VM.
type vmCategories struct {
	// values maps keys to values. It is empty with the v4 API.
	values map[string]string
	// refs contains the UUIDs of the categories, sorted. Their names are of the form key=value. It is empty with the v3 API.
	refs []renderer.Ref
}

func usesV4(machine *infrav1.NutanixMachine) bool {
	return provisioning.RecordedAPI(machine) == renderer.APIV4
}

// categoriesOf returns the categories in the spec of a machine, and the category of its cluster.
func categoriesOf(machine *infrav1.NutanixMachine, cluster string) []infrav1.NutanixCategoryIdentifier {
	return append(machine.Spec.MergedCategories(), infrav1.NutanixCategoryIdentifier{Key: infrav1.CategoryKey, Value: cluster})
}

// categoryName returns the name of a category in comments and pins.
func categoryName(key, value string) string { return key + "=" + value }

// valuesOf returns the value of each key.
func valuesOf(categories []infrav1.NutanixCategoryIdentifier) map[string]string {
	values := make(map[string]string, len(categories))
	for _, category := range categories {
		values[category.Key] = category.Value
	}
	return values
}

// gatherCategories merges the machine's two lists of categories with the category of the cluster. It returns an error if a category does
// not exist in Prism Central, unless the machine is being deleted. pins contain the categories that were resolved last.
func gatherCategories(ctx context.Context, s *scope, pins *pinnedInputs) (vmCategories, error) {
	machine := s.nutanixMachine
	switch deleting := !machine.DeletionTimestamp.IsZero(); {
	case deleting && usesV4(machine):
		return vmCategories{refs: pins.Categories}, nil
	case deleting:
		return vmCategories{values: valuesOf(categoriesOf(machine, s.cluster.Name))}, nil
	case usesV4(machine):
		return resolveCategories(ctx, s)
	}
	if key := machine.Spec.AmbiguousCategory(); key != "" {
		return vmCategories{}, &provisioning.Problem{Reason: infrav1.InvalidSpecReason, Message: fmt.Sprintf(
			"category %s of spec.categories and spec.additionalCategories has several values: a VM accepts one value per key through the v3 API, remove the others", key)}
	}
	for _, category := range machine.Spec.MergedCategories() {
		if _, err := lookUpCategory(ctx, s, category); err != nil {
			return vmCategories{}, err
		}
	}
	return vmCategories{values: valuesOf(categoriesOf(machine, s.cluster.Name))}, nil
}

// resolveCategories resolves the categories of a machine to UUIDs, which the v4 API requires.
func resolveCategories(ctx context.Context, s *scope) (vmCategories, error) {
	var found vmCategories
	for _, identifier := range categoriesOf(s.nutanixMachine, s.cluster.Name) {
		category, err := lookUpCategory(ctx, s, identifier)
		if err != nil {
			return found, err
		}
		found.refs = append(found.refs, renderer.Ref{UUID: category.UUID, Name: categoryName(category.Key, category.Value)})
	}
	controlPlane, err := s.controlPlaneCategory()
	if err != nil {
		return found, err
	}
	if controlPlane != nil {
		found.refs = append(found.refs, *controlPlane)
	}
	slices.SortFunc(found.refs, func(a, b renderer.Ref) int { return strings.Compare(a.UUID, b.UUID) })
	return found, nil
}

func lookUpCategory(ctx context.Context, s *scope, wanted infrav1.NutanixCategoryIdentifier) (*prism.Category, error) {
	category, err := s.access.Client.Category(ctx, wanted.Key, wanted.Value)
	name := categoryName(wanted.Key, wanted.Value)
	switch {
	case err != nil:
		return nil, fmt.Errorf("resolving category %s: %w", name, err)
	case category != nil:
		return category, nil
	}
	message := fmt.Sprintf("category %s of spec.categories or spec.additionalCategories does not exist in Prism Central: create it there, or take it out", name)
	if wanted.Key == infrav1.CategoryKey {
		message = fmt.Sprintf("category %s of the cluster does not exist in Prism Central: the next check of the NutanixCluster creates it", name)
	}
	return nil, &provisioning.Problem{Reason: infrav1.CategoryNotFoundReason, Message: message, LookUp: true}
}

// pinnedCategories returns the categories of a machine from its pins, without Prism Central.
func pinnedCategories(machine *infrav1.NutanixMachine, cluster string, pins *pinnedInputs) (vmCategories, error) {
	categories := categoriesOf(machine, cluster)
	if !usesV4(machine) {
		return vmCategories{values: valuesOf(categories)}, nil
	}
	var found vmCategories
	for _, category := range categories {
		name := categoryName(category.Key, category.Value)
		i := slices.IndexFunc(pins.Categories, func(ref renderer.Ref) bool { return ref.Name == name })
		if i < 0 {
			return found, fmt.Errorf("category %s is not resolved yet: wait until the machine is planned", name)
		}
		found.refs = append(found.refs, pins.Categories[i])
	}
	for _, ref := range pins.Categories {
		if strings.HasPrefix(ref.Name, categoryName(infrav1.ControlPlaneCategoryKey, "")) {
			found.refs = append(found.refs, ref)
		}
	}
	return found, nil
}

// foreignValues returns the categories of vm with keys that the spec of machine does not contain. Of several values of a key it returns one,
// because the v3 API accepts one value per key.
func foreignValues(vm *prism.VM, machine *infrav1.NutanixMachine) map[string]string {
	own := valuesOf(categoriesOf(machine, ""))
	foreign := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(vm.CategoryValues)) {
		values := vm.CategoryValues[key]
		if _, named := own[key]; named || len(values) == 0 {
			continue
		}
		foreign[key] = values[0]
		if value := vm.Categories[key]; value != "" {
			foreign[key] = value
		}
	}
	return foreign
}

// foreignRefs returns the categories of vm with keys that the spec of machine does not contain. A category that the account cannot see is
// foreign, too.
func foreignRefs(vm *prism.VM, machine *infrav1.NutanixMachine) []renderer.Ref {
	own := valuesOf(categoriesOf(machine, ""))
	var foreign []renderer.Ref
	for _, category := range vm.AllCategories {
		ref := renderer.Ref{UUID: category.UUID}
		if category.Key != "" {
			ref.Name = categoryName(category.Key, category.Value)
		}
		if _, named := own[category.Key]; !named && category.Key != infrav1.ControlPlaneCategoryKey {
			foreign = append(foreign, ref)
		}
	}
	return foreign
}

// ambiguousCategories returns a list of the category keys for which a VM has several values, or an empty string. The v3
// resource of the provider sends only one value for each key, so an update would remove the other values.
func ambiguousCategories(vm *prism.VM) string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(vm.CategoryValues)) {
		if values := vm.CategoryValues[key]; len(values) > 1 {
			keys = append(keys, fmt.Sprintf("%s (%s)", key, strings.Join(values, ", ")))
		}
	}
	if len(keys) == 0 {
		return ""
	}
	return fmt.Sprintf("virtual machine %s has several values of category %s, of which an update would keep one: it is not updated until each key has one value",
		vm.UUID, strings.Join(keys, " and of "))
}
