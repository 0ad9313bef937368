// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
// Sockets of the kernel, addresses and messages of the caller, and descriptors, as parts.
#pragma once
#include "paths.h"
#include "user.h"

enum { AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10, UNIX_PATH = 108, MAX_SOCKADDR = 128, MAX_MESSAGES = 4 };

// unix_name reads the name of a unix socket to buffer[end] and answers its length.
INLINE u64 unix_name(struct unix_sock *unix, char *buffer, u64 end)
{
	struct unix_address *address = get(unix, addr);
	if (!address)
		return 0;
	u64 n = get(address, len) - 2; // less the family
	if (n > UNIX_PATH)
		return 0;
	n &= 127;
	if (read_kernel(buffer + (end & PARTS_MASK), n, (void *)address(address, name[0].sun_path)))
		return 0;
	return n;
}

// add_socket adds a SOCKET of a file that is one.
GLOBAL int add_socket(u64 file_pointer, u64 tag)
{
	struct work *w = get_work();
	char *buffer = get_buffer();
	u64 at;
	if (!w || !buffer || !begin(w, buffer, tag, &at))
		return 0;
	struct file *file = (struct file *)file_pointer;
	struct fileinfo *f = (struct fileinfo *)(buffer + (at & PARTS_MASK) + sizeof(struct part));
	inode_info(get(file, f_inode), get(file, f_path.dentry), f);
	f->flags = get(file, f_flags);
	f->pos = 0;
	struct sockinfo *s = (struct sockinfo *)(f + 1);
	struct socket *socket = get(file, private_data);
	struct sock *sk = get(socket, sk);
	__builtin_memset(s, 0, sizeof(*s));
	s->type = get(socket, type);
	s->self = (u64)sk;
	s->proto = get(sk, sk_protocol);
	s->family = get(sk, __sk_common.skc_family);
	s->state = get(sk, __sk_common.skc_state);
	s->backlog = get(sk, sk_ack_backlog);
	s->max_backlog = get(sk, sk_max_ack_backlog);
	u64 end = at + sizeof(struct part) + sizeof(*f) + sizeof(*s);
	if (s->family == AF_INET || s->family == AF_INET6) {
		u16 port = get(sk, __sk_common.skc_dport);
		s->remote_port = port >> 8 | port << 8;
		s->local_port = get(sk, __sk_common.skc_num);
		if (s->family == AF_INET) {
			*(u32 *)s->local = get(sk, __sk_common.skc_rcv_saddr);
			*(u32 *)s->remote = get(sk, __sk_common.skc_daddr);
		} else if (field_exists(((struct sock *)0)->__sk_common.skc_v6_daddr)) {
			read_kernel(s->local, 16, (void *)address(sk, __sk_common.skc_v6_rcv_saddr));
			read_kernel(s->remote, 16, (void *)address(sk, __sk_common.skc_v6_daddr));
		}
	} else if (s->family == AF_UNIX && type_exists(struct unix_sock)) {
		struct unix_sock *unix = (struct unix_sock *)sk, *peer = (struct unix_sock *)get(unix, peer);
		s->peer = (u64)peer;
		s->path_len = unix_name(unix, buffer, end);
		end += s->path_len & 127;
		if (peer) {
			s->peer_len = unix_name(peer, buffer, end);
			end += s->peer_len & 127;
		}
	}
	finish(w, buffer, at, end - at - sizeof(struct part), 0);
	return 0;
}

// file_of finds the file of a descriptor of the current task, 0 where there is none.
INLINE struct file *file_of(u64 fd)
{
	struct files_struct *files = get(current_task(), files);
	struct fdtable *table = get(files, fdt);
	u32 n = (u32)fd;
	if (!table || n >= get(table, max_fds))
		return NULL;
	struct file *file = NULL;
	read_kernel(&file, sizeof(file), get(table, fd) + n);
	return file;
}

// add_fd adds the FILE or SOCKET of a descriptor, or its path as a DIR. RET_ARG's part is the result of the call.
GLOBAL int add_fd(u64 fd, u64 tag)
{
	struct file *file = file_of(fd);
	if (!file)
		return 0;
	if ((tag & 0xff) == FILE && (get(get(file, f_inode), i_mode) & S_IFMT) == S_IFSOCK) {
		add_socket((u64)file, (tag & ~0xffull) | SOCKET);
		return 0;
	}
	add_path((u64)get(file, f_path.mnt), (u64)get(file, f_path.dentry), (u64)file, tag);
	return 0;
}

// add_message adds name, data and control messages of a struct msghdr; wide is the size of the caller's pointers.
GLOBAL int add_message(u64 pointer, u64 wide, u64 arg_and_index)
{
	struct work *w = get_work();
	struct { u64 name, name_len, pieces, n_pieces, control, control_len; } m = {};
	if (!w || !pointer)
		return 0;
	if (wide == 4) {
		struct { u32 name, name_len, pieces, n_pieces, control, control_len; } n = {};
		if (read_user(&n, sizeof(n), (void *)pointer))
			return 0;
		m.name = n.name;
		m.name_len = n.name_len;
		m.pieces = n.pieces;
		m.n_pieces = n.n_pieces;
		m.control = n.control;
		m.control_len = n.control_len;
	} else if (read_user(&m, sizeof(m), (void *)pointer)) {
		return 0;
	}
	u64 name_len = (u32)m.name_len;
	if (m.name && name_len)
		add_user(m.name, name_len > MAX_SOCKADDR ? MAX_SOCKADDR : name_len, arg_and_index | SOCKADDR);
	if (m.control && m.control_len)
		add_user(m.control, m.control_len > SNAP ? SNAP : m.control_len, arg_and_index | CONTROL);
	add_pieces(m.pieces, m.n_pieces, wide, arg_and_index | BYTES);
	return 0;
}

// add_messages adds the first messages of an array of struct mmsghdr.
GLOBAL int add_messages(u64 pointer, u64 messages, u64 wide, u64 arg)
{
	struct work *w = get_work();
	if (!w)
		return 0;
	u64 header = wide == 4 ? 28 : 56, step = wide == 4 ? 32 : 64;
	for (u64 i = 0; i < MAX_MESSAGES; i++) {
		if (i >= messages)
			break;
		u32 len = 0;
		read_user(&len, sizeof(len), (void *)(pointer + i * step + header));
		w->room = len;
		add_user(pointer + i * step + header, sizeof(len), tag(STRUCT, arg, i));
		add_message(pointer + i * step, wide, tag(0, arg, i));
	}
	return 0;
}
