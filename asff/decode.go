package asff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
)

// Decoding does not use encoding/json's own, which would take "sourceport" for SourcePort: then a finding with such an
// unknown member, which Validate rightly lets pass, could not be read.

// ownerField stands in fieldTables for Resource.Owner, which two fields of Resource flatten.
const ownerField = -1

// fieldTables gives, for each struct type within Finding, the index of the field of each wire name. It is built once
// and never written to again.
var fieldTables = buildFieldTables(map[reflect.Type]map[string]int{}, reflect.TypeFor[Finding]())

func buildFieldTables(tables map[reflect.Type]map[string]int, t reflect.Type) map[reflect.Type]map[string]int {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || tables[t] != nil {
		return tables
	}
	table := make(map[string]int, t.NumField())
	tables[t] = table
	for i := range t.NumField() {
		field := t.Field(i)
		name := field.Tag.Get("json")
		if name == "" {
			name = field.Name
		}
		if name != "-" {
			table[name] = i
			buildFieldTables(tables, field.Type)
		}
	}
	if t == reflect.TypeFor[Resource]() {
		table["Owner"] = ownerField
		buildFieldTables(tables, reflect.TypeFor[owner]())
	}
	return tables
}

// UnmarshalJSON replaces f with the finding in raw. null and absent members are left at zero; of a member that stands
// twice the last counts; names are case-sensitive. It does not validate: the error says that raw is not JSON or which
// member has the wrong type. f keeps nothing of raw.
func (f *Finding) UnmarshalJSON(raw []byte) error {
	*f = Finding{}
	return decodeValue(bytes.TrimSpace(raw), reflect.ValueOf(f).Elem())
}

// UnmarshalJSON replaces r with the resource in raw, as Finding's does.
func (r *Resource) UnmarshalJSON(raw []byte) error {
	*r = Resource{}
	return decodeValue(bytes.TrimSpace(raw), reflect.ValueOf(r).Elem())
}

// UnmarshalJSON replaces d with the details in raw, as Finding's does.
func (d *ResourceDetails) UnmarshalJSON(raw []byte) error {
	*d = ResourceDetails{}
	return decodeValue(bytes.TrimSpace(raw), reflect.ValueOf(d).Elem())
}

// decodeValue reads the JSON value in raw, which has no space around it, into the zero value v.
func decodeValue(raw []byte, v reflect.Value) error {
	if string(raw) == "null" {
		return nil
	}
	var err error
	switch v.Kind() {
	case reflect.Struct:
		return decodeStruct(raw, v)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return decodeValue(raw, v.Elem())
	case reflect.Map:
		m := map[string]string{}
		v.Set(reflect.ValueOf(m))
		return members(raw, func(name, value []byte) error {
			s, ok := decodeString(value)
			if !ok && string(value) != "null" {
				return fmt.Errorf("%s: not a string", name)
			}
			m[string(name)] = s
			return nil
		})
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes(bytes.Clone(raw))
			return nil
		}
		return elements(raw, func(value []byte) error {
			v.Grow(1)
			v.SetLen(v.Len() + 1)
			return decodeValue(value, v.Index(v.Len()-1))
		})
	case reflect.String:
		s, ok := decodeString(raw)
		if !ok {
			return fmt.Errorf("not a string")
		}
		v.SetString(s)
	case reflect.Bool:
		if v.SetBool(raw[0] == 't'); raw[0] != 't' && raw[0] != 'f' {
			return fmt.Errorf("not a boolean")
		}
	case reflect.Int:
		var n int64
		if n, err = strconv.ParseInt(string(raw), 10, strconv.IntSize); err != nil {
			return fmt.Errorf("not a whole number")
		}
		v.SetInt(n)
	case reflect.Float64:
		var x float64
		if x, err = strconv.ParseFloat(string(raw), 64); err != nil {
			return fmt.Errorf("not a number")
		}
		v.SetFloat(x)
	}
	return nil
}

func decodeStruct(raw []byte, v reflect.Value) error {
	table := fieldTables[v.Type()]
	return members(raw, func(name, value []byte) error {
		i, known := table[string(name)]
		var err error
		switch {
		case known && i == ownerField:
			err = decodeOwner(value, v.Addr().Interface().(*Resource))
		case known:
			field := v.Field(i)
			field.SetZero()
			err = decodeValue(value, field)
		default:
			if extra := v.FieldByName("Extra"); extra.IsValid() {
				keepExtra(extra.Addr().Interface().(*[]Member), string(name), bytes.Clone(value))
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// keepExtra adds a member; of several with one name the last wins, in the place of the first.
func keepExtra(extra *[]Member, name string, value []byte) {
	for i := range *extra {
		if (*extra)[i].Name == name {
			(*extra)[i].Value = value
			return
		}
	}
	*extra = append(*extra, Member{name, value})
}

type owner struct{ Account, Org ownerID }

type ownerID struct {
	ID string `json:"Id"`
}

// decodeOwner reads Resource.Owner: {"Account":{"Id":…},"Org":{"Id":…}}.
func decodeOwner(raw []byte, r *Resource) error {
	var wire owner
	err := decodeValue(raw, reflect.ValueOf(&wire).Elem())
	r.OwnerAccountID, r.OwnerOrgID = wire.Account.ID, wire.Org.ID
	return err
}
