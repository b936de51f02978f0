package server

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"topdeck/collector"
	"topdeck/control"
)

// jsonNames are the names that a row's fields have for clients.
func jsonNames(row any) (names []string) {
	for f := range reflect.TypeOf(row).Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// Every field that a client sees can be asked for, and no other; the sockets' port stands for two.
func TestFieldsAreThoseOfTheRows(t *testing.T) {
	for topic, test := range map[string]struct{ fields, names []string }{
		"processes":  {fieldNames(processRows().fields), jsonNames(collector.Process{})},
		"sockets":    {fieldNames(socketRows().fields), append(jsonNames(collector.Socket{}), "port")},
		"services":   {fieldNames(serviceRows().fields), jsonNames(control.Service{})},
		"operations": {fieldNames(operationFields()), jsonNames(control.Operation{})},
	} {
		slices.Sort(test.fields)
		slices.Sort(test.names)
		if !slices.Equal(test.fields, test.names) {
			t.Errorf("%s: fields are %v, the row has %v", topic, test.fields, test.names)
		}
	}
}

// Every field does what its kind needs: its value is told apart, found and sorted by.
func TestFieldsReadTheirValue(t *testing.T) {
	checkFields(t, "processes", processRows().fields)
	checkFields(t, "sockets", socketRows().fields)
	checkFields(t, "services", serviceRows().fields)
	checkFields(t, "operations", operationFields())
}

func checkFields[Row any](t *testing.T, topic string, fields []field[Row]) {
	for _, f := range fields {
		var zero, set Row
		name := f.name
		if name == "port" && topic == "sockets" {
			name = "localPort"
		}
		var kind reflect.Kind
		for sf := range reflect.TypeOf(set).Fields() {
			if tag, _, _ := strings.Cut(sf.Tag.Get("json"), ","); tag == name {
				kind = setTo(reflect.ValueOf(&set).Elem().FieldByIndex(sf.Index), 77)
			}
		}
		value := "77"
		switch {
		case f.kind == timeField:
			value = time.Unix(77, 0).UTC().Format(time.RFC3339)
		case kind == reflect.Invalid:
			t.Errorf("%s: the row has no %s", topic, f.name)
		}
		q, err := compileQuery(f.name+":"+value, fields)
		if err != nil {
			t.Errorf("%s: %v", topic, err)
			continue
		}
		if !q.matches(&set) || q.matches(&zero) {
			t.Errorf("%s: %s:%s matches a row that has it: %v, one that has not: %v", topic, f.name, value, q.matches(&set), q.matches(&zero))
		}
		if f.compare(&zero, &set) >= 0 || f.compare(&set, &zero) <= 0 || f.compare(&set, &set) != 0 {
			t.Errorf("%s: cannot sort by %s", topic, f.name)
		}
	}
}

// setTo gives a field a value that n is part of, and tells the field's kind.
func setTo(v reflect.Value, n int64) reflect.Kind {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return setTo(v.Elem(), n)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("77")
	case reflect.Int, reflect.Int64:
		v.SetInt(n)
	case reflect.Uint64, reflect.Uint32, reflect.Uint16:
		v.SetUint(uint64(n))
	case reflect.Float64:
		v.SetFloat(float64(n))
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.String {
			v.Set(reflect.ValueOf([]string{"77"}))
		} else {
			v.Set(reflect.ValueOf([]int{1, int(n)}))
		}
	case reflect.Struct:
		v.Set(reflect.ValueOf(time.Unix(n, 0)))
	}
	return v.Kind()
}

// A change of any field of a service reaches its watchers.
func TestServicesAreComparedWhole(t *testing.T) {
	var zero control.Service
	for sf := range reflect.TypeOf(zero).Fields() {
		var set, other control.Service
		setTo(reflect.ValueOf(&set).Elem().FieldByIndex(sf.Index), 77)
		setTo(reflect.ValueOf(&other).Elem().FieldByIndex(sf.Index), 77)
		if equalServices(&zero, &set) || equalServices(&set, &zero) {
			t.Errorf("a change of %s is not seen", sf.Name)
		}
		if !equalServices(&set, &other) {
			t.Errorf("equal %s count as a change", sf.Name)
		}
	}
}

func TestSortedLists(t *testing.T) {
	services := []control.Service{
		{Name: "b", Manager: "sysv", CPUPercent: new(1.0)}, {Name: "A", Manager: "sysv"}, {Name: "é", Manager: "sysv", CPUPercent: new(5.0)},
		{Name: "a", Manager: "systemd", CPUPercent: new(5.0)}, {Name: "C", Manager: "sysv", Ports: []int{80}},
	}
	for _, test := range []struct{ sort, order, want string }{
		{"", "", "A C a b é"}, // by bytes: any order that stays
		{"name", "", "A a b C é"},
		{"name", "desc", "é C b A a"},
		{"cpu", "", "a é b A C"},
		{"cpu", "asc", "A C b a é"},
		{"ports", "desc", "C A a b é"},
		{"since", "asc", "A C a b é"},
	} {
		s, err := selectRows(serviceRows(), arguments{sort: test.sort, order: test.order})
		if err != nil {
			t.Fatal(err)
		}
		rows, _ := s.list(pointers(services))
		var names []string
		for _, row := range rows {
			names = append(names, row.Name)
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("sort=%s order=%s: %s, want %s", test.sort, test.order, got, test.want)
		}
	}
}
