/* SPDX-License-Identifier: MIT
 *
 * What a seccomp filter (classic BPF) says about a system call of which not everything is known
 * beforehand: where an address will be, is not. Every way that the filter could take is
 * followed, and the worst answer counts.
 *
 * Pure: foreign bytes in, a judgement out. The invariant: an answer is never milder than what
 * the kernel would do; what cannot be followed is as if it killed.
 */
#ifndef INJECT_TARGET_BPF_H
#define INJECT_TARGET_BPF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sock_filter;

struct bpf_call {
	uint32_t nr;
	uint64_t args[6];
	uint8_t known; /* bit n: args[n] is as given here; the others may be anything */
};

/* The kernel's answer, SECCOMP_RET_*: an action in the upper half, data in the lower. */
uint32_t bpf_judge(const struct sock_filter *program, size_t count,
		   const struct bpf_call *call);

/* Whether the kernel would take a (of the older filter's) rather than b, when both are asked:
 * the more severe one. */
bool bpf_is_worse(uint32_t a, uint32_t b);

#endif
