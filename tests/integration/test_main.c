/* SPDX-License-Identifier: MIT
 *
 * The script itself is edited, in each form in which Python runs one: by a relative path in a
 * folder that it leaves, by a symbolic link without suffix, with -m, as a package, as a zip
 * archive, and optimized. What it started is not started again.
 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/integration/pytarget.h"

#define SOURCE "main_forms.py"
#define PACK                                                                                                                          \
	"mv " SOURCE                                                                                                                  \
	" __main__.py && $(command -v \"$0\" || echo python3) -c 'import zipfile\nwith zipfile.ZipFile(\"new.pyz\", \"w\") as pack: " \
	"pack.write(\"__main__.py\")' && mv new.pyz app.pyz"

static struct pytarget target;

/* How it is laid out, at first and after each edit, and how it is started; $0 is Python,
 * which is not to be found where the edits are made when it lives in another root. */
static const struct form {
	const char *name, *prepare, *edit, *start;
} forms[] = {
	{"script", "true", "true", SOURCE},
	{"link", "ln -s " SOURCE " linked", "true", "linked"},
	{"module", "true", "true", "-m main_forms"},
	{"package", "mkdir app && : >app/__init__.py && mv " SOURCE " app/__main__.py",
	 "mv " SOURCE " app/__main__.py", "-m app"},
	{"archive", PACK, PACK, "app.pyz"},
	{"optimized", "true", "true", "-OO " SOURCE},
};

static const char *const names[] = {"script",  "link",      "module", "package",
				    "archive", "optimized", NULL};

static const struct form *form_of(const char *name)
{
	size_t i = 0;

	while (strcmp(forms[i].name, name) != 0)
		i++;
	return &forms[i];
}

static void stop(void)
{
	pytarget_stop(&target);
}

static void edit(const struct form *form, const struct interpreter *python)
{
	struct run run;
	char command[1024];

	pytarget_edit(&target);
	pytarget_install(&target, SOURCE);
	snprintf(command, sizeof(command), "cd %s && %s", target.dir, form->edit);
	run_command(&run, (const char *const[]){"sh", "-c", command, python->path, NULL},
		    20000);
	cr_assert(eq(int, run.status, 0), "%s", run.err);
}

ParameterizedTestParameters(main, is_served)
{
	return interpreters_params(names);
}

ParameterizedTest(struct case_param *param, main, is_served, .fini = stop, .timeout = 120)
{
	const struct form *form = form_of(param->mode);
	struct round round;
	struct run run;
	char command[1024];

	snprintf(command, sizeof(command), "%s && exec \"$0\" %s", form->prepare, form->start);
	pytarget_start_program(
		&target, &param->interpreter, SOURCE,
		(const char *const[]){"/bin/sh", "-c", command, param->interpreter.path, NULL});
	for (int version = 1; version <= 2; version++) {
		edit(form, &param->interpreter);
		run_attach(&run, target.pid);
		expect_status(&target, &run, 0);
		pytarget_next(&target, &round);
		expect_version(&target, &round, version);
	}
}
