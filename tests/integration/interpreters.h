/* SPDX-License-Identifier: MIT
 *
 * The Pythons of this machine, found by looking: /usr/bin, /usr/local/bin, PATH, and version
 * managers below the home directory.
 *
 * The invariant: each is listed once, however many names it has, and only when it really runs.
 */
#ifndef TESTS_INTEGRATION_INTERPRETERS_H
#define TESTS_INTEGRATION_INTERPRETERS_H

#include <stdbool.h>
#include <stddef.h>

#include <criterion/parameterized.h>

struct interpreter {
	char path[512]; /* as the process sees it */
	char root[256]; /* another root directory that it runs in; "" for our own */
	char label[80]; /* "CPython 3.11.2 static debug" */
	int major, minor;
	bool debug, shared, musl, free_threaded, ctypes;
	char library[512]; /* libpythonX.Y.so.1.0 of the same build; "" when there is none */
};

/* All of them, by version; *count is set. PYHOTPATCH_INTERPRETERS (PATH, or ROOT:PATH for one
 * in another root, apart by blanks) names others in their place: scripts/matrix does. Owned by
 * this file, found once in a process. */
const struct interpreter *interpreters_all(size_t *count);

/* CPython 3.7 to 3.15. */
bool interpreter_is_served(const struct interpreter *interpreter);

/* Of the free-threaded 3.13: it keeps every class, function and module for ever
 * (Objects/object.c, _PyObject_SetDeferredRefcount), so that each attach finds more of them. */
bool interpreter_never_frees(const struct interpreter *interpreter);

/* The first of that version, or NULL. */
const struct interpreter *interpreters_find(int major, int minor);

/* One to test with when one is enough: the newest that is served; NULL when there is none. The
 * second is as different from it as can be had: statically linked, else the oldest. */
const struct interpreter *interpreters_newest(void);
const struct interpreter *interpreters_other(void);
/* The newest debug build. */
const struct interpreter *interpreters_debug(void);
/* The newest that has a library to embed. */
const struct interpreter *interpreters_embeddable(void);

/* Criterion parameters: `modes` is NULL-terminated; each served interpreter with each mode. */
struct case_param {
	struct interpreter interpreter;
	char mode[16];
};
struct criterion_test_params interpreters_params(const char *const *modes);
/* The same from 3.MINOR on. */
struct criterion_test_params interpreters_params_since(int minor, const char *const *modes);
/* The same for those that have a library to embed. */
struct criterion_test_params interpreters_library_params(const char *const *modes);

#endif
