/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/payload_path.h"

Test(payload_path, the_variable_names_it)
{
	char name[] = "/tmp/hp-payload-XXXXXX", *path = NULL;
	struct hp_err err;

	close(mkstemp(name));
	setenv("PYHOTPATCH_PAYLOAD", name, 1);
	cr_assert(eq(int, payload_path_find(&path, &err), 0), "%s", err.text);
	cr_assert(eq(str, path, name));
	free(path);
	unlink(name);
}

Test(payload_path, the_variable_is_not_overruled_when_it_is_wrong)
{
	static const char *const wrong[] = {"/nonexistent/payload.so", "/tmp"};

	for (size_t i = 0; i < 2; i++) {
		char *path = NULL;
		struct hp_err err;

		setenv("PYHOTPATCH_PAYLOAD", wrong[i], 1);
		cr_assert(eq(int, payload_path_find(&path, &err), -1));
		cr_assert(eq(int, err.kind, HP_SYSTEM));
		cr_assert(ne(ptr, strstr(err.text, wrong[i]), NULL), "%s", err.text);
		cr_assert(ne(ptr, strstr(err.hint, "PYHOTPATCH_PAYLOAD"), NULL));
		cr_assert(eq(ptr, path, NULL));
	}
}

/* This test's executable is not BUILD/src/..., so only the installed payload can count. */
Test(payload_path, else_the_installed_one)
{
	char *path = NULL;
	struct hp_err err = {0};
	int r;

	unsetenv("PYHOTPATCH_PAYLOAD");
	r = payload_path_find(&path, &err);
	if (access(HP_PAYLOAD_LIBDIR "/payload.so", R_OK) == 0) {
		cr_assert(eq(int, r, 0));
		cr_assert(eq(str, path, HP_PAYLOAD_LIBDIR "/payload.so"));
	} else {
		cr_assert(eq(int, r, -1));
		cr_assert(ne(ptr, strstr(err.text, HP_PAYLOAD_LIBDIR), NULL), "%s", err.text);
	}
	free(path);
}
