// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
// Where a record is put together, and how parts are added to it. Both maps are per CPU: every program here runs with
// preemption off, and none of them can interrupt another on the same CPU.
#pragma once
#include "kernel.h"
#include "record.h"

enum {
	PARTS_MASK = 0x3fff, // a part begins below 16 KiB ...
	RECORD_SIZE = 0x8000, // ... and none is longer than 8 KiB, so that the verifier sees every write inside
	ALIGN = 7,
};

// What the functions that add parts share, since a global function is given numbers only.
struct work {
	u64 at; // where the next part begins
	u64 end; // where bytes of the open part go
	u32 parts;
	u32 relative; // a relative path was captured
	u64 ret; // the result
	u64 room; // bytes that BYTES may still take
	u64 root_mnt, root_dentry; // of the task that is described
};

struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	UINT(max_entries, 1);
	TYPE(key, u32);
	TYPE(value, struct work);
} works SEC(".maps");

struct buffer { char bytes[RECORD_SIZE]; };
struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	UINT(max_entries, 1);
	TYPE(key, u32);
	TYPE(value, struct buffer);
} buffers SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_RINGBUF);
	UINT(max_entries, 8 << 20);
} events SEC(".maps");

// What became of records, and why; one each CPU.
struct counts {
	u64 sent;
	u64 lost_full; // the ring buffer was full
	u64 lost_internal; // a mistake of ours
	u64 cut; // sent, but some parts did not fit
	u64 filtered; // calls that no rule can match
};
struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	UINT(max_entries, 1);
	TYPE(key, u32);
	TYPE(value, struct counts);
} counters SEC(".maps");

INLINE struct counts *get_counts(void)
{
	u32 zero = 0;
	return map_lookup(&counters, &zero);
}

INLINE struct work *get_work(void)
{
	u32 zero = 0;
	return map_lookup(&works, &zero);
}

INLINE char *get_buffer(void)
{
	u32 zero = 0;
	struct buffer *b = map_lookup(&buffers, &zero);
	return b ? b->bytes : NULL;
}

INLINE u64 tag(u32 kind, int arg, u32 index) { return kind | (u64)(u8)arg << 8 | (u64)index << 16; }
INLINE u64 with_flags(u64 tag, u32 flags) { return tag | (u64)flags << 24; }

// begin opens a part; bytes of it may then be written at buffer[*at + sizeof(struct part)].
INLINE bool begin(struct work *w, char *buffer, u64 tag, u64 *at)
{
	u64 here = w->at;
	if (here > PARTS_MASK || w->parts >= 255)
		return 0;
	here &= PARTS_MASK;
	struct part *p = (struct part *)(buffer + here);
	p->kind = tag;
	p->arg = tag >> 8;
	p->index = tag >> 16;
	p->flags = tag >> 24;
	p->len = 0;
	*at = here;
	return 1;
}

// finish closes a part that holds len bytes.
INLINE void finish(struct work *w, char *buffer, u64 at, u64 len, u32 flags)
{
	struct part *p = (struct part *)(buffer + (at & PARTS_MASK));
	p->len = len;
	p->flags |= flags;
	w->at = (at + sizeof(struct part) + len + ALIGN) & ~(u64)ALIGN;
	w->parts++;
}
