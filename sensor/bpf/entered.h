// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
// What is gone when a call returns: the file of a descriptor that close closes. It is read at entry and kept until the
// exit of the same thread.
#pragma once
#include "capture.h"

enum { KEPT_SIZE = 1024 };

struct kept { char part[KEPT_SIZE]; }; // struct part and its data

struct {
	UINT(type, BPF_MAP_TYPE_LRU_HASH);
	UINT(max_entries, 4096);
	TYPE(key, u32); // thread
	TYPE(value, struct kept);
} entered SEC(".maps");

// keep_fd keeps the FILE or SOCKET of the descriptor that is argument 0.
INLINE void keep_fd(struct work *w, char *buffer, u32 thread, u64 fd)
{
	w->at = sizeof(struct record);
	w->parts = 0;
	add_fd(fd, with_flags(tag(FILE, 0, 0), STABLE));
	if (w->parts)
		map_update(&entered, &thread, buffer + sizeof(struct record), 0);
}

// add_entered adds what was kept to the record.
INLINE void add_entered(struct work *w, char *buffer)
{
	u32 thread = get(current_task(), pid);
	struct kept *kept = map_lookup(&entered, &thread);
	u64 at = w->at;
	if (!kept || at > PARTS_MASK)
		return;
	at &= PARTS_MASK;
	read_kernel(buffer + at, KEPT_SIZE, kept);
	map_delete(&entered, &thread);
	u64 len = ((struct part *)(buffer + at))->len;
	u32 flags = 0;
	if (len > KEPT_SIZE - sizeof(struct part)) {
		len = KEPT_SIZE - sizeof(struct part);
		flags = TRUNCATED;
	}
	finish(w, buffer, at, len, flags);
}
