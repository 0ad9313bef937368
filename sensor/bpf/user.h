// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
// Memory of the caller as parts. It is read when the call returns, after the kernel has read it: another thread may
// have changed it in between. What the kernel keeps itself (files, sockets, the name of an exec) is read from there.
#pragma once
#include "scratch.h"

enum { PATH_SIZE = 4096, BLOCK_SIZE = 4096, SNAP = 80, MAX_PIECES = 16, MAX_ARGS = 64 };

// add_string adds a string of the caller's without its NUL; a relative path sets w->relative.
GLOBAL int add_string(u64 pointer, u64 tag)
{
	struct work *w = get_work();
	char *buffer = get_buffer();
	u64 at;
	if (!w || !buffer || !pointer || !begin(w, buffer, tag, &at))
		return 0;
	char *to = buffer + (at & PARTS_MASK) + sizeof(struct part);
	long n = read_user_str(to, PATH_SIZE, (void *)pointer);
	if (n <= 0) {
		finish(w, buffer, at, 0, FAILED);
		return 0;
	}
	n &= 0x1fff;
	if (to[0] != '/')
		w->relative = 1;
	finish(w, buffer, at, n > 0 ? n - 1 : 0, n == PATH_SIZE ? TRUNCATED : 0);
	return 0;
}

// add_user adds up to size bytes of the caller's memory; at most 1024.
GLOBAL int add_user(u64 pointer, u64 size, u64 tag)
{
	struct work *w = get_work();
	char *buffer = get_buffer();
	u64 at;
	if (!w || !buffer || !pointer || !begin(w, buffer, tag, &at))
		return 0;
	if (size > 1023)
		size = 1023;
	size &= 1023;
	if (read_user(buffer + (at & PARTS_MASK) + sizeof(struct part), size, (void *)pointer))
		finish(w, buffer, at, 0, FAILED);
	else
		finish(w, buffer, at, size, 0);
	return 0;
}

// add_block adds the memory from..to of the caller's own stack of arguments: argv or the environment.
GLOBAL int add_block(u64 from, u64 to, u64 tag)
{
	struct work *w = get_work();
	char *buffer = get_buffer();
	u64 at;
	if (!w || !buffer || !from || to <= from || !begin(w, buffer, tag, &at))
		return 0;
	u64 size = to - from;
	u32 flags = 0;
	if (size > BLOCK_SIZE) {
		size = BLOCK_SIZE;
		flags = TRUNCATED;
	}
	size &= 0x1fff;
	if (size > BLOCK_SIZE)
		size = BLOCK_SIZE;
	if (read_user(buffer + (at & PARTS_MASK) + sizeof(struct part), size, (void *)from))
		finish(w, buffer, at, 0, FAILED);
	else
		finish(w, buffer, at, size, flags);
	return 0;
}

// add_pointers adds the strings of an array of pointers, as an exec that failed was given; wide is the size of a pointer.
GLOBAL int add_pointers(u64 array, u64 wide, u64 tag)
{
	struct work *w = get_work();
	char *buffer = get_buffer();
	u64 at;
	if (!w || !buffer || !array || !begin(w, buffer, tag, &at))
		return 0;
	u64 end = at + sizeof(struct part), limit = end + BLOCK_SIZE;
	u32 flags = TRUNCATED;
	for (int i = 0; i < MAX_ARGS; i++) {
		u64 string = 0;
		if (read_user(&string, wide == 4 ? 4 : 8, (void *)array) || !string) {
			flags = string ? FAILED : 0;
			break;
		}
		array += wide;
		if (end >= limit || end > PARTS_MASK)
			break;
		long n = read_user_str(buffer + (end & PARTS_MASK), BLOCK_SIZE, (void *)string);
		if (n <= 0)
			break;
		end += n & 0x1fff;
	}
	if (end > limit)
		end = limit;
	finish(w, buffer, at, end - at - sizeof(struct part), flags);
	return 0;
}

// add_pieces joins the first bytes of an iovec, up to w->room.
GLOBAL int add_pieces(u64 vector, u64 pieces, u64 wide, u64 tag)
{
	struct work *w = get_work();
	char *buffer = get_buffer();
	u64 at;
	if (!w || !buffer || !vector || !begin(w, buffer, tag, &at))
		return 0;
	u64 room = w->room;
	if (room > SNAP)
		room = SNAP;
	u64 done = 0;
	u32 flags = 0;
	for (u64 i = 0; i < MAX_PIECES; i++) {
		struct { u64 base, len; } piece = {};
		if (i >= pieces || done >= room)
			break;
		if (wide == 4) {
			struct { u32 base, len; } narrow = {};
			if (read_user(&narrow, sizeof(narrow), (void *)(vector + i * sizeof(narrow))))
				flags = FAILED;
			piece.base = narrow.base;
			piece.len = narrow.len;
		} else if (read_user(&piece, sizeof(piece), (void *)(vector + i * sizeof(piece)))) {
			flags = FAILED;
		}
		u64 n = room - done;
		if (piece.len < n)
			n = piece.len;
		n &= 127;
		if (flags || read_user(buffer + (at & PARTS_MASK) + sizeof(struct part) + (done & 127), n, (void *)piece.base)) {
			flags = FAILED;
			break;
		}
		done += n;
	}
	finish(w, buffer, at, done, flags);
	return 0;
}
