// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
// Which calls can match a rule: sensor/filter works it out of the rules, user space fills the maps below, and passes()
// answers before anything is captured. It may say yes too often, never no where a rule could match: what it cannot read
// or does not understand passes. A second thread may change a path between this look and the kernel's own or the
// capture's; see user.h.
#pragma once
#include "sockets.h"

enum {
	ANY = 63, // the bit of struct gate's masks that stands for any path and process
	CLASSES = 7, // of a call, as sensor/filter.Class
	CLASS_ANY = 0, CLASS_READ, CLASS_WRITE, CLASS_CREATE, CLASS_INET, CLASS_DATAGRAM, CLASS_EXEC,
	NO_PATH = 0xff,
	KEY_SIZE = 256, // of a path that is looked at; longer ones pass
	TAIL_SIZE = 32, // of its end that suffixes are compared with
	NEEDLES = 8,
};

enum { SOCK_STREAM = 1, IPPROTO_TCP = 6 };
enum gate_kind { GATE_PLAIN, GATE_OPEN, GATE_OPENAT2, GATE_SOCKET };

// A mask has a bit for each set of paths or of processes that some rule asks for.
struct gate {
	u64 wanted[2][CLASSES]; // [call failed][class]
	u8 kind;
	u8 flags_arg; // of GATE_OPEN; the mode is the next
	u8 paths[2]; // arguments, or NO_PATH
	u8 pad[4];
};

struct {
	UINT(type, BPF_MAP_TYPE_ARRAY);
	UINT(max_entries, 2048);
	TYPE(key, u32);
	TYPE(value, struct gate);
} gates SEC(".maps");

struct needle { u32 text, mask; u64 sets; };

// What the bits of the masks are.
struct kinds {
	u64 prefixes, tops, suffixes, contained; // sets that have such texts; tops: paths right below the root
	u64 processes;
	struct needle needles[NEEDLES]; // the first bytes of texts that are contained
	u64 heads[2][256]; // by the first four and the first eight bytes behind the root, as head() hashes them: sets with
			   // texts in the trie that may fit, longer than that; a set with shorter ones is in all
	u64 tails[256]; // by the last two bytes of a path, as tail() hashes them: sets with suffixes that may fit
};
volatile struct kinds sets;

// While it is set, everything that is wanted passes: rules are being changed.
volatile u32 gates_open = 1;

struct prefix { u32 bits; u8 text[KEY_SIZE]; };
struct {
	UINT(type, BPF_MAP_TYPE_LPM_TRIE);
	UINT(max_entries, 4096);
	UINT(map_flags, BPF_F_NO_PREALLOC);
	TYPE(key, struct prefix);
	TYPE(value, u64);
} prefixes SEC(".maps");

struct suffix { u32 bits; u8 text[TAIL_SIZE]; }; // backwards
struct {
	UINT(type, BPF_MAP_TYPE_LPM_TRIE);
	UINT(max_entries, 1024);
	UINT(map_flags, BPF_F_NO_PREALLOC);
	TYPE(key, struct suffix);
	TYPE(value, u64);
} suffixes SEC(".maps");

struct name { char text[16]; };
struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(max_entries, 1024);
	TYPE(key, struct name);
	TYPE(value, u64);
} names SEC(".maps");

// The sets of a process, by its name when it started. A process that has none is not here, unless it is older than the
// programs: of those only what user space puts here is known.
struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(max_entries, 32768);
	TYPE(key, u32);
	TYPE(value, u64);
} processes SEC(".maps");

volatile u64 known_since = ~0ull; // ns since boot: processes that started before are known only by user space
volatile u32 processes_full; // one did not fit: none is known any more

// By the low bits of its id, whether a process that is in some set was noted here; never taken back. Spares most calls
// the look into the hash table.
enum { MARKS = 4096 };
volatile u8 marks[MARKS];

struct path_scratch { struct prefix key; u8 pad[12]; u32 slash; struct suffix tail; }; // slash: of the last name
struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	UINT(max_entries, 1);
	TYPE(key, u32);
	TYPE(value, struct path_scratch);
} path_scratches SEC(".maps");

// scan looks whether a path of n bytes and a NUL is in normal form: from the root, no empty name, no "." or "..", no
// slash at the end. The place of its last slash stays in memory, where the verifier does not follow it through the loop.
GLOBAL int scan(u64 n)
{
	u32 zero = 0;
	struct path_scratch *s = map_lookup(&path_scratches, &zero);
	if (!s)
		return 0;
	u8 *text = s->key.text;
	if (text[0] != '/')
		return 0;
	for (u32 i = 0; i < KEY_SIZE - 4; i++) {
		if (i >= n)
			break;
		if (text[i] != '/')
			continue;
		u8 a = text[i + 1], b = text[i + 2], c = text[i + 3];
		if (a == '/' || (a == 0 && i > 0))
			return 0;
		if (a == '.' && (b == '/' || b == 0 || (b == '.' && (c == '/' || c == 0))))
			return 0;
		s->slash = i;
	}
	return 1;
}

// zeroes marks the bytes that are zero (and, seldom, one behind such a byte).
INLINE u64 zeroes(u64 v) { return (v - 0x0101010101010101ull) & ~v & 0x8080808080808080ull; }

// suspicious says whether a path of n bytes may not be in normal form: a name in it is empty or begins with a dot. It
// looks at eight bytes at a time, where scan looks at each.
INLINE bool suspicious(struct path_scratch *s, u32 n)
{
	const u64 slashes = 0x2f2f2f2f2f2f2f2full, dots = 0x2e2e2e2e2e2e2e2eull;
	u8 *text = s->key.text;
	if (text[0] != '/' || text[(n - 1) & (KEY_SIZE - 1)] == '/')
		return 1;
	for (u32 i = 0; i < KEY_SIZE - 16; i += 8) {
		if (i >= n)
			return 0;
		u64 here = *(u64 *)(text + i), next = *(u64 *)(text + i + 1);
		if (zeroes(here ^ slashes) & (zeroes(next ^ slashes) | zeroes(next ^ dots)))
			return 1;
	}
	return 1;
}

// head hashes the first bytes behind the root; what is behind the path does no harm.
INLINE u32 head(u64 bytes) { return bytes * 0x9e3779b97f4a7c15ull >> 56; }

INLINE u64 head_sets(struct path_scratch *s)
{
	u64 bytes = (u64)s->key.text[1] | (u64)s->key.text[2] << 8 | (u64)s->key.text[3] << 16 | (u64)s->key.text[4] << 24;
	u64 four = sets.heads[0][head(bytes) & 255];
	bytes |= (u64)s->key.text[5] << 32 | (u64)s->key.text[6] << 40 | (u64)s->key.text[7] << 48 | (u64)s->key.text[8] << 56;
	return four | sets.heads[1][head(bytes) & 255];
}

// tail hashes the last two bytes of a path.
INLINE u32 tail(struct path_scratch *s, u32 n)
{
	return (s->key.text[(n - 2) & (KEY_SIZE - 1)] * 31 + s->key.text[(n - 1) & (KEY_SIZE - 1)]) & 255;
}

GLOBAL u64 suffix_sets(u64 n)
{
	u32 zero = 0;
	struct path_scratch *s = map_lookup(&path_scratches, &zero);
	if (!s)
		return ~0ull;
	u32 i;
	for (i = 0; i < TAIL_SIZE; i++) {
		if (i >= n)
			break;
		s->tail.text[i] = s->key.text[(n - 1 - i) & (KEY_SIZE - 1)];
	}
	s->tail.bits = i * 8;
	u64 *found = map_lookup(&suffixes, &s->tail);
	return found ? *found : 0;
}

// contained_sets compares every four bytes with the needles, without a branch that the verifier would have to follow.
GLOBAL u64 contained_sets(u64 n)
{
	u32 zero = 0;
	struct path_scratch *s = map_lookup(&path_scratches, &zero);
	if (!s)
		return ~0ull;
	u64 hits = 0;
	u32 window = 0, end = n + 3; // the last windows run into zeroes behind the path
	u8 *behind = s->key.text + (n & (KEY_SIZE - 1));
	behind[0] = behind[1] = behind[2] = 0; // there are pad bytes behind the text
	for (u32 i = 0; i < KEY_SIZE; i++) {
		if (i >= end)
			break;
		window = window >> 8 | (u32)s->key.text[i] << 24;
		for (u32 j = 0; j < NEEDLES; j++) {
			u64 less = ((window & sets.needles[j].mask) ^ sets.needles[j].text) - 1ull;
			barrier_var(less); // else the compiler makes a branch of it, and the verifier of 6.1 gives up
			hits |= sets.needles[j].sets & -(less >> 63);
		}
	}
	return hits;
}

// match_path answers whether a path of the caller's is in one of the wanted sets.
GLOBAL int match_path(u64 pointer, u64 wanted)
{
	u32 zero = 0;
	struct path_scratch *s = map_lookup(&path_scratches, &zero);
	if (!s)
		return 1;
	long length = read_user_str(s->key.text, KEY_SIZE, (void *)pointer);
	if (length <= 1 || length > KEY_SIZE - 8)
		return 1;
	u32 n = (u32)length - 1;
	s->slash = 1;
	if ((wanted & sets.tops || suspicious(s, n)) && !scan(n))
		return 1;
	if (s->slash == 0 && wanted & sets.tops)
		return 1;
	if (wanted & sets.prefixes & head_sets(s)) {
		s->key.bits = (n + 1) * 8; // with the NUL, by which an exact text ends
		u64 *found = map_lookup(&prefixes, &s->key);
		if (found && *found & wanted)
			return 1;
	}
	if (wanted & sets.suffixes & sets.tails[tail(s, n)] && suffix_sets(n) & wanted)
		return 1;
	return wanted & sets.contained && contained_sets(n) & wanted;
}

INLINE u64 sets_of(u32 pid, u64 started)
{
	if (processes_full)
		return ~0ull;
	if (started >= known_since && !marks[pid & (MARKS - 1)])
		return 0;
	u64 *found = map_lookup(&processes, &pid);
	if (found)
		return *found;
	return started < known_since ? ~0ull : 0;
}

// own_sets are the sets of the process of a task.
INLINE u64 own_sets(struct task_struct *task)
{
	return sets_of(get(task, tgid), get(get(task, group_leader), start_boottime));
}

// current_sets is the same for the current task, without helper calls where the kernel has typed pointers.
INLINE u64 current_sets(void)
{
	if (!enum_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
		return own_sets(current_task());
	struct task_struct *task = current_task_btf();
	return sets_of(task->tgid, task->group_leader->start_boottime);
}

// remember notes the sets of a process; always is whether no entry would be taken for a process that is not known.
INLINE void remember(u32 pid, u64 of, bool always)
{
	marks[pid & (MARKS - 1)] |= of != 0;
	if (!of && !always)
		map_delete(&processes, &pid);
	else if (map_update(&processes, &pid, &of, 0))
		processes_full = 1;
}

INLINE u64 sets_of_name(struct task_struct *task)
{
	struct name name = {};
	read_kernel_str(name.text, sizeof(name.text), (void *)address(task, comm));
	u64 *found = map_lookup(&names, &name);
	return found ? *found : 0;
}

// classes are those of a call to open or on a socket, a bit each.
INLINE u32 classes_of(struct gate *g, u64 *regs)
{
	if (g->kind == GATE_OPEN) {
		u32 flags = regs[g->flags_arg & 3], mode = flags & 3; // fcntl.h: 0 O_RDONLY, 1 O_WRONLY, 2 O_RDWR, 3 neither
		u32 classes = mode == 1 ? 1 << CLASS_WRITE : mode == 0 ? 1 << CLASS_READ : 1 << CLASS_READ | 1 << CLASS_WRITE;
		if (flags & (0100 | 020000000 | 0200000 | 040000)) // O_CREAT, __O_TMPFILE, O_DIRECTORY of x86 and of arm64
			classes |= 1 << CLASS_CREATE | (regs[(g->flags_arg + 1) & 3] & 0111 ? 1 << CLASS_EXEC : 0);
		return classes;
	}
	if (g->kind != GATE_SOCKET)
		return ~0u;
	struct file *file = file_of(regs[0]);
	if (!file)
		return ~0u;
	if ((get(get(file, f_inode), i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	struct socket *socket = get(file, private_data);
	struct sock *sk = get(socket, sk);
	u16 family = get(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	if (get(socket, type) == SOCK_STREAM && get(sk, sk_protocol) == IPPROTO_TCP)
		return 1 << CLASS_INET;
	return 1 << CLASS_INET | 1 << CLASS_DATAGRAM;
}

// passes says whether a call may match a rule.
INLINE bool passes(u32 index, u64 *regs, s64 ret)
{
	struct gate *g = map_lookup(&gates, &index);
	if (!g || gates_open)
		return 1;
	u64 *by_class = g->wanted[ret < 0 && ret >= -4095];
	u64 wanted = by_class[CLASS_ANY];
	if (!(wanted >> ANY & 1)) {
		u32 classes = classes_of(g, regs);
		for (u32 i = 1; i < CLASSES; i++)
			if (classes >> i & 1)
				wanted |= by_class[i];
	}
	if (!wanted)
		return 0;
	if (wanted >> ANY & 1)
		return 1;
	if (wanted & sets.processes && current_sets() & wanted & sets.processes)
		return 1;
	wanted &= ~sets.processes;
	if (!wanted)
		return 0;
	for (u32 i = 0; i < 2; i++)
		if (g->paths[i] != NO_PATH && match_path(regs[g->paths[i] & 3], wanted))
			return 1;
	return 0;
}
