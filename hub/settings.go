package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"
	"unicode/utf8"
)

// Records of the hub itself.
const (
	hubKind     = "hub"
	idName      = "id"      // 16 random bytes that name the store
	enabledName = "enabled" // hubRecord, JSON
	tagKind     = "tags"    // the name is the ARN; JSON object
)

// hubRecord is whether the hub is on.
type hubRecord struct {
	Enabled                 bool
	SubscribedAt            time.Time
	ControlFindingGenerator string
}

func (h *Hub) records(ctx context.Context, kind string) ([]Record, error) {
	all, err := h.store.Records(ctx, kind)
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	return all, nil
}

// putRecords stores records. The commit lock keeps them apart from commits: a store has one writer.
func (h *Hub) putRecords(ctx context.Context, records ...Record) error {
	h.commit.Lock()
	defer h.commit.Unlock()
	if h.closed {
		return ErrClosed
	}
	if err := h.store.PutRecords(ctx, records); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	return nil
}

// loadSettings reads the hub's records and writes those that a new store lacks. A new hub is on: who starts one wants it.
func (h *Hub) loadSettings(ctx context.Context) error {
	all, err := h.store.Records(ctx, hubKind)
	if err != nil {
		return err
	}
	var missing []Record
	byName := map[string][]byte{}
	for _, r := range all {
		byName[r.Name] = r.Value
	}
	if len(byName[idName]) != len(h.id) {
		byName[idName] = []byte(newID()[:8] + newID()[:8])
		missing = append(missing, Record{hubKind, idName, byName[idName]})
	}
	copy(h.id[:], byName[idName])
	record := hubRecord{Enabled: true, SubscribedAt: h.now(), ControlFindingGenerator: "SECURITY_CONTROL"}
	if value := byName[enabledName]; value != nil {
		if err := json.Unmarshal(value, &record); err != nil {
			return fmt.Errorf("read the hub's settings: %w", err)
		}
	} else {
		value, err := json.Marshal(record)
		if err != nil {
			return err
		}
		missing = append(missing, Record{hubKind, enabledName, value})
	}
	h.enabled.Store(record.Enabled)
	if len(missing) == 0 {
		return nil
	}
	return h.store.PutRecords(ctx, missing)
}

func (h *Hub) hubRecord(ctx context.Context) (hubRecord, error) {
	var record hubRecord
	all, err := h.records(ctx, hubKind)
	if err != nil {
		return record, err
	}
	for _, r := range all {
		if r.Name == enabledName {
			err = json.Unmarshal(r.Value, &record)
		}
	}
	return record, err
}

// Enabled reports whether the hub is on. Off, it goes on taking in alerts; that AWS's other operations are refused then
// is up to the API.
func (h *Hub) Enabled() bool { return h.enabled.Load() }

// Describe is AWS's DescribeHub. The error is ErrDisabled while the hub is off.
func (h *Hub) Describe(ctx context.Context) (Description, error) {
	if !h.Enabled() {
		return Description{}, ErrDisabled
	}
	r, err := h.hubRecord(ctx)
	return Description{
		HubArn: h.arn("hub/default"), SubscribedAt: r.SubscribedAt, AutoEnableControls: true,
		ControlFindingGenerator: r.ControlFindingGenerator,
	}, err
}

// Enable switches the hub on. The error is ErrEnabled if it is on, or an *InvalidInput.
func (h *Hub) Enable(ctx context.Context, o EnableOptions) error {
	h.settings.Lock()
	defer h.settings.Unlock()
	if h.Enabled() {
		return ErrEnabled
	}
	if o.ControlFindingGenerator == "" {
		o.ControlFindingGenerator = "SECURITY_CONTROL"
	}
	if err := checkEnum("ControlFindingGenerator", o.ControlFindingGenerator, "STANDARD_CONTROL", "SECURITY_CONTROL"); err != nil {
		return err
	}
	records := []Record{}
	if len(o.Tags) > 0 {
		if err := checkTags(o.Tags); err != nil {
			return err
		}
		value, err := json.Marshal(o.Tags)
		if err != nil {
			return err
		}
		records = append(records, Record{tagKind, h.arn("hub/default"), value})
	}
	return h.setEnabled(ctx, hubRecord{true, h.now(), o.ControlFindingGenerator}, records...)
}

// Disable switches the hub off. Findings stay. The error is ErrDisabled if it is off.
func (h *Hub) Disable(ctx context.Context) error {
	h.settings.Lock()
	defer h.settings.Unlock()
	if !h.Enabled() {
		return ErrDisabled
	}
	r, err := h.hubRecord(ctx)
	if err != nil {
		return err
	}
	r.Enabled = false
	return h.setEnabled(ctx, r)
}

func (h *Hub) setEnabled(ctx context.Context, r hubRecord, more ...Record) error {
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := h.putRecords(ctx, append(more, Record{hubKind, enabledName, value})...); err != nil {
		return err
	}
	h.enabled.Store(r.Enabled)
	return nil
}

// Limits of tags (AWS: "Tagging your AWS resources").
const (
	maxTags     = 50
	maxTagKey   = 128 // characters
	maxTagValue = 256 // characters
)

// Tags returns the tags of the hub or an insight. The error is ErrNotFound for any other ARN.
func (h *Hub) Tags(ctx context.Context, arn string) (map[string]string, error) {
	if arn != h.arn("hub/default") {
		if _, _, err := h.Insights(ctx, []string{arn}, 0, ""); err != nil {
			return nil, err
		}
	}
	all, err := h.records(ctx, tagKind)
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	for _, r := range all {
		if r.Name == arn {
			err = json.Unmarshal(r.Value, &tags)
		}
	}
	return tags, err
}

// Tag adds tags or replaces their values. The error is an *InvalidInput or ErrNotFound.
func (h *Hub) Tag(ctx context.Context, arn string, tags map[string]string) error {
	return h.retag(ctx, arn, func(all map[string]string) { maps.Copy(all, tags) })
}

// Untag removes tags; those that are not there do not matter. The error is ErrNotFound.
func (h *Hub) Untag(ctx context.Context, arn string, keys []string) error {
	return h.retag(ctx, arn, func(all map[string]string) {
		for _, k := range keys {
			delete(all, k)
		}
	})
}

func (h *Hub) retag(ctx context.Context, arn string, change func(map[string]string)) error {
	h.settings.Lock()
	defer h.settings.Unlock()
	tags, err := h.Tags(ctx, arn)
	if err != nil {
		return err
	}
	change(tags)
	if err := checkTags(tags); err != nil {
		return err
	}
	var value []byte
	if len(tags) > 0 {
		if value, err = json.Marshal(tags); err != nil {
			return err
		}
	}
	return h.putRecords(ctx, Record{tagKind, arn, value})
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return &InvalidInput{"a resource has at most " + strconv.Itoa(maxTags) + " tags"}
	}
	for k, v := range tags {
		if err := checkText("a tag's key", k, maxTagKey); err != nil {
			return err
		}
		if utf8.RuneCountInString(v) > maxTagValue || !utf8.ValidString(v) {
			return &InvalidInput{"the value of tag " + strconv.Quote(k) + " should be at most " + strconv.Itoa(maxTagValue) + " characters of UTF-8"}
		}
	}
	return nil
}
