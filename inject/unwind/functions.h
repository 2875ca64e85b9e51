/* SPDX-License-Identifier: MIT
 *
 * Which functions of one file a safe-point judgement goes by: those with a name that is in the
 * way, and what may be around them; and whether one that is asked for is allowed.
 */
#ifndef INJECT_UNWIND_FUNCTIONS_H
#define INJECT_UNWIND_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inject/base/err.h"
#include "inject/target/target.h"
#include "inject/unwind/safepoint_names.h"

/* How large a function without a name may be: malloc.o's largest is 18 KiB in glibc 2.36. */
#define FUNCTIONS_GAP_MAX (32u << 10)

struct functions {
	const struct module *module; /* borrowed */
	uint8_t *classes;            /* owned; an enum name_class for each symbol */
	uint32_t *numbers;           /* owned; of those that matter, by rising address */
	size_t count;
	/* From the first function with unnamed code around it to the last. */
	uint64_t near_start, near_end;
};

HP_MUST_CHECK int functions_find(struct functions *out, const struct safepoint_names *names,
				 const struct module *module, struct hp_err *err);
void functions_fini(struct functions *functions);

/* Whether one is there that holds nothing: read, poll, sem_wait ... Goes through all of the
 * file's symbols. Nothing is said of what is forbidden. */
bool functions_allow(const struct module *module, remote_addr addr);

#endif
