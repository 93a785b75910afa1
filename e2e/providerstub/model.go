package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"
)

// alternatives are the types that an object in the API may have, by the name of the block. A later alternative replaces an earlier one.
var alternatives = []struct {
	block string
	model reflect.Type
}{
	{"legacy_boot", reflect.TypeFor[config.LegacyBoot]()},
	{"uefi_boot", reflect.TypeFor[config.UefiBoot]()},
	{"boot_device_disk", reflect.TypeFor[config.BootDeviceDisk]()},
	{"boot_device_nic", reflect.TypeFor[config.BootDeviceNic]()},
	{"image_reference", reflect.TypeFor[config.ImageReference]()},
	{"vm_disk_reference", reflect.TypeFor[config.VmDiskReference]()},
	{"vm_disk", reflect.TypeFor[config.VmDisk]()},
	{"adfs_volume_group_reference", reflect.TypeFor[config.ADSFVolumeGroupReference]()},
	{"sysprep", reflect.TypeFor[config.Sysprep]()},
	{"cloud_init", reflect.TypeFor[config.CloudInit]()},
	{"unattend_xml", reflect.TypeFor[config.Unattendxml]()},
	{"user_data", reflect.TypeFor[config.Userdata]()},
	{"virtual_ethernet_nic", reflect.TypeFor[config.VirtualEthernetNic]()},
	{"sriov_nic", reflect.TypeFor[config.SriovNic]()},
	{"dp_offload_nic", reflect.TypeFor[config.DpOffloadNic]()},
	{"sriov_nic_network_info", reflect.TypeFor[config.SriovNicNetworkInfo]()},
	{"dp_offload_nic_network_info", reflect.TypeFor[config.DpOffloadNicNetworkInfo]()},
	{"virtual_ethernet_nic_network_info", reflect.TypeFor[config.VirtualEthernetNicNetworkInfo]()},
}

// oneOf is a field of a model that has one of several types.
type oneOf interface {
	SetValue(value any) error
	GetValue() any
}

// modelField returns the field of a model for an attribute. The attribute disk_size_bytes is the field diskSizeBytes.
func modelField(model reflect.Value, attribute string) reflect.Value {
	words := strings.Split(attribute, "_")
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return taggedField(model, strings.Join(words, ""))
}

func taggedField(model reflect.Value, name string) reflect.Value {
	for i := range model.NumField() {
		if tag, _, _ := strings.Cut(model.Type().Field(i).Tag.Get("json"), ","); tag == name {
			return model.Field(i)
		}
	}
	return reflect.Value{}
}

// expand writes the values of a block into a model.
func (b block) expand(model reflect.Value, values map[string]any) {
	for name, value := range values {
		a := b[name]
		if !a.sent() || a.skips(value) {
			continue
		}
		a.assign(model, name, value)
	}
}

// skips reports whether requests omit a value of a nested block.
func (a *attribute) skips(value any) bool {
	switch value {
	case "":
		if a.crashEmpty {
			panic("the provider crashes without this value")
		}
		return !a.sentEmpty
	case 0:
		return a.omitZero
	}
	return false
}

// assign writes a value into the field of a model.
func (a *attribute) assign(model reflect.Value, name string, value any) {
	field := modelField(model, name)
	if a.kind != "list" && a.kind != "set" {
		field.Set(scalar(field.Type().Elem(), value))
		return
	}
	items := itemsOf(value)
	field.SetZero()
	switch {
	case len(items) == 0:
	case field.Kind() == reflect.Slice:
		a.assignSlice(field, items)
	default:
		fields := items[0].(map[string]any)
		made := reflect.New(field.Type().Elem())
		if union, is := made.Interface().(oneOf); is {
			a.nested.expandOneOf(union, fields)
			setDiscriminator(model, name, union)
		} else {
			a.fill(made.Elem(), fields)
		}
		field.Set(made)
	}
}

func (a *attribute) assignSlice(field reflect.Value, items []any) {
	for _, item := range items {
		if a.nested == nil {
			field.Set(reflect.Append(field, scalar(field.Type().Elem(), item).Elem()))
			continue
		}
		made := reflect.New(field.Type().Elem()).Elem()
		a.fill(made, item.(map[string]any))
		field.Set(reflect.Append(field, made))
	}
}

// fill writes the values of a nested block into its model.
func (a *attribute) fill(model reflect.Value, values map[string]any) {
	if a.typed {
		setType(model)
	}
	a.nested.expand(model, values)
}

// setType makes requests contain the type of a model.
func setType(model reflect.Value) {
	name := "vmm.v4.ahv.config." + model.Type().Name()
	taggedField(model, "$objectType").Set(reflect.ValueOf(&name))
	taggedField(model, "$reserved").Set(reflect.ValueOf(map[string]any{"$fv": "v4.r2"}))
	taggedField(model, "$unknownFields").Set(reflect.ValueOf(map[string]any{}))
}

func (b block) expandOneOf(union oneOf, values map[string]any) {
	if len(itemsOf(values["custom_key_values"])) > 0 {
		panic("the stand-in of the provider does not support custom_key_values")
	}
	for _, alternative := range alternatives {
		items := itemsOf(values[alternative.block])
		if len(items) == 0 {
			continue
		}
		made := reflect.New(alternative.model).Elem()
		setType(made)
		b[alternative.block].nested.expand(made, items[0].(map[string]any))
		if err := union.SetValue(made.Interface()); err != nil {
			panic(err)
		}
	}
}

// setDiscriminator names the type of an object of a NIC in the NIC. The provider does not do this for other objects.
func setDiscriminator(model reflect.Value, name string, union oneOf) {
	if model.Type() != reflect.TypeFor[config.Nic]() || union.GetValue() == nil {
		return
	}
	tags := map[string]string{
		"nic_backing_info": "$nicBackingInfoItemDiscriminator", "nic_network_info": "$nicNetworkInfoItemDiscriminator",
	}
	taggedField(model, tags[name]).Set(reflect.ValueOf(union).Elem().FieldByName("Discriminator"))
}

// scalar returns a pointer to a value of the given type. Enumerations are strings in Terraform.
func scalar(kind reflect.Type, value any) reflect.Value {
	made := reflect.New(kind)
	if enumeration, is := made.Interface().(json.Unmarshaler); is {
		if err := enumeration.UnmarshalJSON([]byte(strconv.Quote(value.(string)))); err != nil || made.Elem().Int() < knownEnumerations {
			panic(fmt.Sprintf("the provider crashes at the unknown value %q", value))
		}
		return made
	}
	made.Elem().Set(reflect.ValueOf(value).Convert(kind))
	return made
}

// knownEnumerations is the first known value of each enumeration. The values before mean that a value is unknown.
const knownEnumerations = 2

// flatten returns the attributes of a block that a model has.
func (b block) flatten(model reflect.Value) map[string]any {
	out := map[string]any{}
	for name, a := range b {
		field := modelField(model, name)
		if a.notRead || !field.IsValid() || field.IsNil() {
			continue
		}
		out[name] = a.read(field)
	}
	return out
}

// read returns the value of a field of a model, which is a pointer or a slice.
func (a *attribute) read(field reflect.Value) any {
	if field.Kind() == reflect.Slice {
		items := make([]any, 0, field.Len())
		for i := range field.Len() {
			items = append(items, a.readItem(field.Index(i)))
		}
		return items
	}
	if union, is := field.Interface().(oneOf); is {
		return []any{a.nested.flattenOneOf(union)}
	}
	if a.nested != nil {
		return []any{a.readItem(field.Elem())}
	}
	return primitive(field.Elem())
}

func (a *attribute) readItem(item reflect.Value) any {
	if a.nested != nil {
		return a.nested.flatten(item)
	}
	return primitive(item)
}

// flattenOneOf returns the block for the type of the object. The provider crashes at a type that it does not know.
func (b block) flattenOneOf(union oneOf) map[string]any {
	value := union.GetValue()
	if value == nil {
		return map[string]any{}
	}
	for _, alternative := range alternatives {
		if alternative.model == reflect.TypeOf(value) {
			return map[string]any{alternative.block: []any{b[alternative.block].nested.flatten(reflect.ValueOf(value))}}
		}
	}
	panic(fmt.Sprintf("the provider crashes at an object of type %T", value))
}

// primitive returns a value for the state. The name of an enumeration that the model does not know is UNKNOWN.
func primitive(value reflect.Value) any {
	if at, is := value.Interface().(time.Time); is {
		return at.String()
	}
	if enumeration, is := value.Interface().(interface{ GetName() string }); is {
		if value.Int() < knownEnumerations {
			return unknown
		}
		return enumeration.GetName()
	}
	switch value.Kind() {
	case reflect.Int64, reflect.Int:
		return int(value.Int())
	default:
		return value.Interface()
	}
}

// unknown is the state of an enumeration without a value.
const unknown = "UNKNOWN"

// itemsOf returns the elements of a list or of a set.
func itemsOf(value any) []any {
	if set, is := value.(*schema.Set); is {
		return set.List()
	}
	items, _ := value.([]any)
	return items
}

// sentNames returns the names of the attributes that requests can contain, sorted.
func (b block) sentNames() []string {
	var names []string
	for name, a := range b {
		if a.sent() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
