//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
// The one object of the sensor. Reading kernel and user memory needs helpers that the kernel gives only to programs
// under a GPL-compatible licence, so this folder is under MIT or GPL-2.0, at your choice.
#include "process.h"

char license_text[] SEC("license") = "Dual MIT/GPL";
