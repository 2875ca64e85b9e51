/* SPDX-License-Identifier: MIT
 *
 * See unwind_library.h.
 */
#include "inject/unwind/unwind_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/* So called since libunwind 1.0 (2011). */
#define SONAME "libunwind-x86_64.so.8"

#define TEXT_OF_(name) #name
#define TEXT_OF(name)  TEXT_OF_(name)

int unwind_library_load(struct unwind_library *out, struct hp_err *err)
{
#define UNWIND_NAME(name) TEXT_OF(UNW_OBJ(name)),
	static const char *const names[] = {UNWIND_FUNCTIONS(UNWIND_NAME)};
	void *found[sizeof(names) / sizeof(*names)];
	void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	bool has_all = library != NULL;

	_Static_assert(sizeof(*out) == sizeof(found), "one pointer each");
	for (size_t i = 0; has_all && i < sizeof(names) / sizeof(*names); i++)
		has_all = (found[i] = dlsym(library, names[i])) != NULL;
	if (!has_all) {
		hp_err_set(err, HP_SYSTEM, 0, "load libunwind: %s", dlerror());
		hp_err_hint(err, "sudo apt install libunwind8, or what your system calls it");
	}
	if (library)
		dlclose(library);
	if (!has_all)
		return -1;
	memcpy(out, found, sizeof(*out));
	return 0;
}
