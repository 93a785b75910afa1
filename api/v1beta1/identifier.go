package v1beta1

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

const (
	// PlaceholderImageName replaces a missing image name in a NutanixMachineTemplate. A ClusterClass patch sets the real name.
	PlaceholderImageName = "PLACEHOLDER"

	// PlaceholderUUID replaces a missing image UUID in a NutanixMachineTemplate. A ClusterClass patch sets the real UUID.
	PlaceholderUUID = "00000000-0000-0000-0000-000000000000"
)

// IsName reports whether the entity is identified by name.
func (i NutanixResourceIdentifier) IsName() bool { return i.Type == NutanixIdentifierName }

// IsUUID reports whether the entity is identified by UUID.
func (i NutanixResourceIdentifier) IsUUID() bool { return i.Type == NutanixIdentifierUUID }

// IsZero reports whether no field of the identifier is set.
func (i NutanixResourceIdentifier) IsZero() bool {
	return i.Type == "" && ptr.Deref(i.UUID, "") == "" && ptr.Deref(i.Name, "") == ""
}

// Default removes an empty name and an empty UUID, which are equivalent to unset fields.
func (i *NutanixResourceIdentifier) Default() {
	if i == nil {
		return
	}
	if ptr.Deref(i.Name, "") == "" {
		i.Name = nil
	}
	if ptr.Deref(i.UUID, "") == "" {
		i.UUID = nil
	}
}

// String returns the identifier for messages: name "vm-network", or uuid 0a1b....
func (i NutanixResourceIdentifier) String() string {
	switch {
	case i.IsName():
		return fmt.Sprintf("name %q", ptr.Deref(i.Name, ""))
	case i.IsUUID():
		return "uuid " + i.key()
	default:
		return "nothing"
	}
}

// key returns the name or the UUID in lower case, because UUIDs are case-insensitive.
func (i NutanixResourceIdentifier) key() string {
	if i.IsUUID() {
		return strings.ToLower(ptr.Deref(i.UUID, ""))
	}
	return ptr.Deref(i.Name, "")
}

// Validate checks that exactly the value of the type is set.
func (i NutanixResourceIdentifier) Validate(path *field.Path) field.ErrorList {
	switch i.Type {
	case NutanixIdentifierName:
		return i.validateName(path)
	case NutanixIdentifierUUID:
		return i.validateUUID(path)
	case "":
		return field.ErrorList{field.Required(path.Child("type"), "set it to name or uuid")}
	default:
		return field.ErrorList{field.NotSupported(path.Child("type"), i.Type,
			[]NutanixIdentifierType{NutanixIdentifierName, NutanixIdentifierUUID})}
	}
}

func (i NutanixResourceIdentifier) validateName(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if ptr.Deref(i.Name, "") == "" {
		errs = append(errs, field.Required(path.Child("name"), "type is name: set the name"))
	}
	if ptr.Deref(i.UUID, "") != "" {
		errs = append(errs, field.Forbidden(path.Child("uuid"), "type is name: remove uuid, or set type to uuid"))
	}
	return errs
}

func (i NutanixResourceIdentifier) validateUUID(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch uuid := ptr.Deref(i.UUID, ""); {
	case uuid == "":
		errs = append(errs, field.Required(path.Child("uuid"), "type is uuid: set the uuid"))
	case !uuidPattern.MatchString(uuid):
		errs = append(errs, field.Invalid(path.Child("uuid"), uuid, "write a UUID of 36 characters, with dashes"))
	}
	if ptr.Deref(i.Name, "") != "" {
		errs = append(errs, field.Forbidden(path.Child("name"), "type is uuid: remove name, or set type to name"))
	}
	return errs
}
