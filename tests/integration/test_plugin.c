/* SPDX-License-Identifier: MIT
 *
 * A Python that a C program has loaded as a plug-in: privately, in a namespace of its own,
 * beside another Python that was never started. The program's main thread knows no Python.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/integration/pytarget.h"
#include "tests/integration/snapshot.h"

static struct pytarget target;
static struct snapshot before, after;

static void stop(void)
{
	pytarget_stop(&target);
}

/* A Python of another version, to be there and do nothing. */
static const struct interpreter *another(const struct interpreter *python)
{
	size_t count;
	const struct interpreter *all = interpreters_all(&count);

	for (size_t i = 0; i < count; i++)
		if (all[i].library[0] && all[i].minor != python->minor && all[i].major == 3)
			return &all[i];
	cr_skip_test("fewer than two CPythons with a shared library");
	return NULL;
}

/* So that the plug-in finds the standard library of its own version. */
static void set_home(const struct interpreter *python)
{
	const char *lib = strstr(python->library, "/lib/");
	char home[512];

	snprintf(home, sizeof(home), "%.*s", (int)(lib - python->library), python->library);
	setenv("PYTHONHOME", home, 1);
}

static void serve_once(void)
{
	struct round round;
	struct run run;

	pytarget_fresh(&target, &round);
	expect_version(&target, &round, target.version);
	sleep_ms(50);
	pytarget_edit(&target);
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, target.version);
}

static const char *const modes[] = {"local", "dlmopen", "before", "behind", NULL};

ParameterizedTestParameters(plugin, served)
{
	return interpreters_library_params(modes);
}

ParameterizedTest(struct case_param *param, plugin, served, .fini = stop, .timeout = 60)
{
	const char *argv[] = {getenv("PYHOTPATCH_PLUGIN_HOST"), param->interpreter.library,
			      param->mode, another(&param->interpreter)->library, NULL};
	char text[8192];

	cr_assert(argv[0] != NULL, "run by meson or scripts/run-suite");
	set_home(&param->interpreter);
	pytarget_start_program(&target, &param->interpreter, "plugged.py", argv);
	unsetenv("PYTHONHOME");
	/* With two libcs each keeps an arena for the thread that was: the loader calls the
	 * first. */
	if (strcmp(param->mode, "dlmopen") == 0)
		serve_once();
	snapshot_take(&before, target.pid);
	serve_once();
	snapshot_take(&after, target.pid);
	snapshot_compare(text, sizeof(text), &before, &after);
	if (text[0] != '\0')
		pytarget_fail(&target, "not left as found:\n%s", text);
}
