package prismv4_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/prismv4"
)

var filterNone vmFilter

// fleet returns the VMs from..to-1 as JSON.
func fleet(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf(`{"extId":"vm-%d","name":"node-%d"}`, i, i))
	}
	return out
}

func vms(total, from, to int) http.HandlerFunc { return answer(200, items(total, fleet(from, to)...)) }

// No response makes an incomplete list look complete.
func TestListIsCompleteOrAnError(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pages []http.HandlerFunc
		want  int // VMs; -1: Unavailable
	}{
		"none":                              {[]http.HandlerFunc{vms(0, 0, 0)}, 0},
		"one page":                          {[]http.HandlerFunc{vms(7, 0, 7)}, 7},
		"exactly one full page":             {[]http.HandlerFunc{vms(100, 0, 100)}, 100},
		"three pages":                       {[]http.HandlerFunc{vms(250, 0, 100), vms(250, 100, 200), vms(250, 200, 250)}, 250},
		"a short page":                      {[]http.HandlerFunc{vms(100, 0, 50)}, -1},
		"a short page, once":                {[]http.HandlerFunc{vms(100, 0, 50), vms(100, 0, 100)}, 100},
		"a short page in the middle":        {[]http.HandlerFunc{vms(250, 0, 100), vms(250, 100, 150), vms(250, 0, 100), vms(250, 100, 150)}, -1},
		"more than were announced":          {[]http.HandlerFunc{vms(3, 0, 5)}, -1},
		"empty although there are some":     {[]http.HandlerFunc{vms(3, 0, 0)}, -1},
		"grown between pages, then quiet":   {[]http.HandlerFunc{vms(150, 0, 100), vms(151, 100, 151), vms(151, 0, 100), vms(151, 100, 151)}, 151},
		"one moved to the next page":        {[]http.HandlerFunc{vms(150, 0, 100), vms(150, 99, 149), vms(150, 0, 100), vms(150, 100, 150)}, 150},
		"always changing":                   {[]http.HandlerFunc{vms(150, 0, 100), vms(151, 100, 151), vms(150, 0, 100), vms(152, 100, 152)}, -1},
		"an item without identity":          {[]http.HandlerFunc{answer(200, items(2, `{"extId":"a"}`, `{"name":"b"}`))}, -1},
		"null items":                        {[]http.HandlerFunc{answer(200, items(1, `null`))}, -1},
		"no number, one page":               {[]http.HandlerFunc{answer(200, `{"data":[{"extId":"a"}],"metadata":{}}`)}, 1},
		"no number, but a next page":        {[]http.HandlerFunc{answer(200, `{"data":[{"extId":"a"}],"metadata":{"links":[{"rel":"next"}]}}`)}, -1},
		"no number, two pages":              {[]http.HandlerFunc{answer(200, unnumbered(0, 100)), answer(200, unnumbered(100, 130))}, 130},
		"neither data nor number":           {[]http.HandlerFunc{answer(200, `{}`)}, -1},
		"null data and no number":           {[]http.HandlerFunc{answer(200, `{"data":null,"metadata":{}}`)}, -1},
		"flag hasError":                     {[]http.HandlerFunc{answer(200, `{"metadata":{"flags":[{"name":"hasError","value":true}],"totalAvailableResults":0}}`)}, -1},
		"flag isTruncated":                  {[]http.HandlerFunc{answer(200, `{"metadata":{"flags":[{"name":"isTruncated","value":true}],"totalAvailableResults":0}}`)}, -1},
		"an object instead of a list":       {[]http.HandlerFunc{answer(200, `{"data":{"extId":"a"},"metadata":{"totalAvailableResults":1}}`)}, -1},
		"an error with a status of success": {[]http.HandlerFunc{answer(200, refusal("vmm", "VMM-1", "X", "oops"))}, -1},
		"a body that is cut off":            {[]http.HandlerFunc{cut}, -1},
		"a second page that is a proxy's":   {[]http.HandlerFunc{vms(150, 0, 100), page(404)}, -1},
		"a text where a number belongs":     {[]http.HandlerFunc{answer(200, `{"data":[{"extId":"a","numSockets":"two"}],"metadata":{"totalAvailableResults":1}}`)}, -1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t)
			c.On(vmsPath, test.pages...)
			got, err := c.client(t, nil).ListVMs(t.Context(), filterNone)
			if test.want < 0 {
				require.Error(t, err)
				assert.Equal(t, prismv4.Unavailable, prismv4.KindOf(err), "%v", err)
				assert.Empty(t, got)
				return
			}
			require.NoError(t, err)
			assert.Len(t, got, test.want)
		})
	}
}

// A wrong number of items is detected after the first page.
func TestIncompleteListIsReadTwice(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]http.HandlerFunc{"short": vms(100, 0, 50), "none": vms(3, 0, 0), "too many": vms(3, 0, 5)} {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t)
			c.On(vmsPath, first)
			_, err := c.client(t, nil).ListVMs(t.Context(), filterNone)
			require.ErrorContains(t, err, "items of")
			assert.Len(t, c.Requests(), 2)
		})
	}
}

func unnumbered(from, to int) string {
	return `{"data":[` + strings.Join(fleet(from, to), ",") + `],"metadata":{}}`
}

func TestObjectIsCompleteOrAnError(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nothing": ``, "no data": `{}`, "null": `{"data":null}`, "a list": `{"data":[]}`, "no JSON": `<html>`,
		"without identity": `{"data":{"name":"node-1"}}`, "another one": `{"data":{"extId":"another"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t)
			c.On(vmPath, answer(200, body))
			_, err := c.client(t, nil).VM(t.Context(), vmUUID)
			require.Error(t, err)
			assert.Equal(t, prismv4.Unavailable, prismv4.KindOf(err), "%v", err)
		})
	}
}

// If Prism Central rejects or ignores a condition, the list is the same. A rejected condition is not sent again.
func TestListWithoutFiltersOfPrismCentral(t *testing.T) {
	t.Parallel()
	all := items(3,
		`{"extId":"a","name":"x","biosUuid":"B1","categories":[{"extId":"C1"}]}`,
		`{"extId":"b","name":"x","categories":[{"extId":"c2"}]}`,
		`{"extId":"c","name":"y","categories":[{"extId":"c1"}]}`)
	refusing := func(attribute string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Query().Get("$filter"), attribute) {
				answer(400, `{"data":{"$objectType":"vmm.v4.error.ErrorResponse","error":{"$objectType":"vmm.v4.error.SchemaValidationError",`+
					`"validationErrorMessages":[{"location":"@query.$filter","message":"not filterable"}]}}}`)(w, r)
				return
			}
			answer(200, all)(w, r)
		}
	}
	tests := map[string]struct {
		server          http.HandlerFunc
		filter          vmFilter
		want            []string
		requests, again int
	}{
		"ignored":             {answer(200, all), vmFilter{CategoryUUID: "c1"}, []string{"a", "c"}, 1, 1},
		"category refused":    {refusing("categories"), vmFilter{CategoryUUID: "c1"}, []string{"a", "c"}, 2, 1},
		"BIOS UUID refused":   {refusing("biosUuid"), vmFilter{BIOSUUID: "b1"}, []string{"a"}, 2, 1},
		"one of two refused":  {refusing("categories"), vmFilter{Name: "x", CategoryUUID: "c1"}, []string{"a"}, 2, 1},
		"all of them refused": {refusing("eq"), vmFilter{Name: "x", BIOSUUID: "b1", CategoryUUID: "c1"}, []string{"a"}, 4, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t)
			c.On(vmsPath, test.server)
			client := c.client(t, nil)
			for _, requests := range []int{test.requests, test.again} {
				c.Forget()
				got, err := client.ListVMs(t.Context(), test.filter)
				require.NoError(t, err)
				var ids []string
				for _, vm := range got {
					ids = append(ids, vm.ExtID)
				}
				assert.Equal(t, test.want, ids)
				assert.Len(t, c.Requests(), requests)
			}
		})
	}
}
