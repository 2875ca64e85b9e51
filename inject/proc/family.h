/* SPDX-License-Identifier: MIT
 *
 * Which process was started by which, as /proc has it. A process whose parent has ended belongs
 * to whoever took it over.
 */
#ifndef INJECT_PROC_FAMILY_H
#define INJECT_PROC_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "inject/base/err.h"

struct kin {
	pid_t pid, parent;
};

/* Every process that could be read, at about one moment; by pid. */
struct family {
	struct kin *items; /* owned */
	size_t count;
};

HP_MUST_CHECK int family_read(struct family *out, struct hp_err *err);
void family_fini(struct family *family);

/* Whether `pid` is `ancestor`, or descends from it. */
bool family_descends(const struct family *family, pid_t pid, pid_t ancestor);

bool family_has(const struct family *family, pid_t pid);

#endif
