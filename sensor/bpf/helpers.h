// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
// What the compiler and the kernel's BPF machine give us: types, sections, helper functions by number
// (uapi/linux/bpf.h) and CO-RE relocations (Clang's __builtin_preserve_*). No header outside of this folder is used.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef u8 bool;

#define NULL ((void *)0)
#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
// A function that the verifier checks once, on its own (since Linux 5.6): it takes and returns numbers only.
#define GLOBAL __attribute__((noinline))
#define CORE __attribute__((preserve_access_index))

// Definitions of maps in the way that BTF describes them.
#define UINT(name, value) int(*name)[value]
#define TYPE(name, type) type *name

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_F_NO_PREALLOC = 1,
};

static void *(*map_lookup)(void *map, const void *key) = (void *)1;
static long (*map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*map_delete)(void *map, const void *key) = (void *)3;
static u32 (*smp_processor_id)(void) = (void *)8;
static struct task_struct *(*current_task)(void) = (void *)35;
static long (*read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static long (*read_user_str)(void *to, u32 size, const void *from) = (void *)114;
static long (*read_kernel_str)(void *to, u32 size, const void *from) = (void *)115;
static u64 (*boot_ns)(void) = (void *)125;
static long (*ringbuf_output)(void *ring, void *data, u64 size, u64 flags) = (void *)130;
static struct task_struct *(*current_task_btf)(void) = (void *)158; // since Linux 5.11
static struct pt_regs *(*task_pt_regs)(struct task_struct *) = (void *)175; // since Linux 5.15

// Asked of the kernel's own BTF when the object is loaded; dead branches are cut out before the verifier looks.
#define field_exists(expr) __builtin_preserve_field_info(expr, 2)
#define type_exists(type) __builtin_preserve_type_info(*(type *)0, 0)
#define type_size(type) __builtin_preserve_type_info(*(type *)0, 1)
#define enum_exists(type, value) __builtin_preserve_enum_value(*(type *)value, 0)
#define enum_value(type, value) __builtin_preserve_enum_value(*(type *)value, 1)
#define field_offset(type, field) __builtin_preserve_field_info(((type *)0)->field, 0)

// get reads a field of a kernel object through a pointer that may be anything; 0 where it cannot be read, for the helper
// clears what it cannot fill.
#define get(pointer, field)                                                                                            \
	({                                                                                                             \
		__auto_type _from = (pointer);                                                                         \
		typeof(_from->field) _value;                                                                           \
		read_kernel(&_value, sizeof(_value), __builtin_preserve_access_index(&_from->field));                  \
		_value;                                                                                                \
	})
#define address(pointer, field) ((u64)__builtin_preserve_access_index(&(pointer)->field))

// barrier keeps the compiler from moving a bounds check away from its use.
#define barrier_var(var) asm volatile("" : "+r"(var))
