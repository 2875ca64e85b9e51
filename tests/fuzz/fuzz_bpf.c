/* SPDX-License-Identifier: MIT
 *
 * Any program, about a call of which some arguments are known: ends, and an answer about less
 * knowledge is never milder.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "inject/target/bpf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bpf_call call = {.nr = 9, .args = {0x1000, 4096, 5, 1, 3, 0}};
	size_t count = size ? (size - 1) / sizeof(struct sock_filter) : 0;
	struct sock_filter *program = malloc(count * sizeof(*program) + 1);

	if (!program)
		return 0;
	if (count)
		memcpy(program, data + 1, count * sizeof(*program));
	call.known = size ? data[0] & 0x3f : 0;
	uint32_t some = bpf_judge(program, count, &call);
	call.known = 0;
	uint32_t none = bpf_judge(program, count, &call);
	call.known = 0x3f;
	uint32_t all = bpf_judge(program, count, &call);
	if (bpf_is_worse(some, none) || bpf_is_worse(all, some))
		abort();
	free(program);
	return 0;
}
