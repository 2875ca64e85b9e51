/* SPDX-License-Identifier: MIT
 *
 * libunwind, loaded when a stack is to be walked. A thread that waits can be judged without
 * (unless the loader or a handler has left a word on its stack), the commands that touch no
 * process need none, and the loader takes 0.2 to 0.3 ms for it and the two libraries that it
 * needs.
 */
#ifndef INJECT_UNWIND_UNWIND_LIBRARY_H
#define INJECT_UNWIND_UNWIND_LIBRARY_H

#include <libunwind.h>

#include "inject/base/err.h"

/* Exported by libunwind, declared in none of its headers. */
extern int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t as, unw_word_t ip,
					      unw_dyn_info_t *di, unw_proc_info_t *pi,
					      int need_unwind_info, void *arg);

/* What is used of it. libunwind.h gives each a name for the machine that it unwinds. */
#define UNWIND_FUNCTIONS(X)                                                                    \
	X(create_addr_space)                                                                   \
	X(destroy_addr_space)                                                                  \
	X(set_caching_policy)                                                                  \
	X(init_remote)                                                                         \
	X(get_reg)                                                                             \
	X(is_signal_frame)                                                                     \
	X(step)                                                                                \
	X(dwarf_search_unwind_table)

#define UNWIND_MEMBER(name) __typeof__(UNW_OBJ(name)) *name;
struct unwind_library {
	UNWIND_FUNCTIONS(UNWIND_MEMBER)
};
#undef UNWIND_MEMBER

/* It stays loaded. */
HP_MUST_CHECK int unwind_library_load(struct unwind_library *out, struct hp_err *err);

#endif
