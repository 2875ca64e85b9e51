/* SPDX-License-Identifier: MIT
 *
 * The steps of target_describe(), in this order, each in its own file. For inject/target/
 * alone. All of them read foreign bytes; none of them changes anything of the process.
 */
#ifndef INJECT_TARGET_PARTS_H
#define INJECT_TARGET_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "inject/base/err.h"
#include "inject/target/target.h"

/* modules.c: from target->maps to target->modules, headers filled. */
HP_MUST_CHECK int modules_find(struct target *target, struct hp_err *err);
/* Fill symbols and imports, from the file or, when that is gone, from memory. Cheap if done
 * before. */
HP_MUST_CHECK int module_load(const struct target *target, struct module *module,
			      struct hp_err *err);
/* The part of a path behind the last slash. */
const char *path_base(const char *path);
/* The module that a slot of `from` named `name` is bound to; NULL when none is, or only itself.
 */
const struct module *module_bound_to(const struct target *target, const struct module *from,
				     const char *name);

/* constants.c: whether found() is true for a piece of the read-only data, not code, of a
 * module. Pieces overlap by 32 bytes. */
bool constants_search(const struct target *target, const struct module *module,
		      bool (*found)(void *context, const char *text, size_t len),
		      void *context);

/* python.c: which Python. Finding none is no error; python_check() says what is wrong. */
HP_MUST_CHECK int python_find(struct target *target, struct hp_err *err);
HP_MUST_CHECK int python_check(const struct target *target, struct hp_err *err);
/* Whether a file of that name may hold a Python; for choosing what to look into first. */
bool python_is_name(const char *path);

/* libc.c: which libc, and the code in it that we return through. */
HP_MUST_CHECK int libc_find(struct target *target, struct hp_err *err);

/* diagnose.c: what of the process's state stands in the way. Each check is alone; the first is
 * whether it is traced. */
typedef int (*state_check)(const struct target *target, struct hp_err *err);
extern const state_check state_checks[];
extern const size_t state_check_count;
/* Whether there is anything to look into at all: no thread id, no zombie, no kernel thread. */
HP_MUST_CHECK int target_check_exists(const struct target *target, struct hp_err *err);

#endif
