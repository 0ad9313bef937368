package match

import "encoding/json"

// jsonList is a JSON array of strings.
func jsonList(items []string) string {
	if items == nil {
		items = noItems
	}
	b, err := json.Marshal(items)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(b)
}
