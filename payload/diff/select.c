/* SPDX-License-Identifier: MIT
 *
 * From the modules whose file may have changed to those whose content did, and to the
 * statements of them that run.
 */
#include "payload/diff/select.h"

#include "payload/base/freestanding.h"
#include "payload/diff/bodies.h"
#include "payload/diff/class_hooks.h"
#include "payload/diff/classes_below.h"
#include "payload/diff/running.h"
#include "payload/diff/star_imports.h"
#include "payload/diff/statements.h"
#include "payload/job/failure.h"
#include "payload/source/candidates.h"
#include "payload/source/home.h"
#include "payload/source/source.h"

static int keep_changed(struct job *job)
{
	struct modules *all = &job->modules;
	size_t kept = 0;

	for (size_t i = 0; i < all->count; i++) {
		struct module *module = &all->items[i];
		source_let_run(job);
		int stranger = module->code ? running_compare(job, module) : 1;
		if (stranger < 0)
			return -1;
		if (stranger)
			continue;
		if (module->is_changed || module->place) {
			struct module moved = *module;
			all->items[i] = all->items[kept];
			all->items[kept++] = moved;
		} else if (!job->is_dry_run && home_remember(job, module)) {
			return -1;
		}
	}
	while (all->count > kept)
		module_fini(&all->items[--all->count]);
	return 0;
}

/* 1 when nothing of the module needs to run. */
static int is_code_alone(struct job *job, struct module *module)
{
	if (module->is_moved)
		return 1;
	if (!module->old_code || module->place ||
	    PyDict_GetItemString(module->live, "__reload__"))
		return 0;
	source_let_run(job);
	return bodies_differ_alone(&job->world, module, &module->bodies);
}

/* All or none: what runs of one module may call the new functions of another, which are there
 * only when that ran, too. */
static int spare_runs(struct job *job)
{
	int status = !job->is_rerun;

	for (size_t i = 0; status == 1 && i < job->modules.count; i++)
		status = is_code_alone(job, &job->modules.items[i]);
	for (size_t i = 0; i < job->modules.count; i++) {
		struct module *module = &job->modules.items[i];
		if (status == 1)
			module->is_moved = 1;
		else
			Py_DecRef(py_take(&module->bodies));
	}
	return status < 0 ? -1 : 0;
}

/* A loader with a language of its own may have no use for a part of a syntax tree. */
static int give_up_statements(struct job *job, struct module *module)
{
	PyErr_Clear();
	module_forget_choice(module);
	job_warn(job, module, NULL, WIRE_TEXT_WHOLE_ALONE, NULL);
	return 1;
}

static int choose_statements(struct job *job, struct module *module)
{
	PyObject *body;
	int status = 1;

	for (Py_ssize_t i = 0; (body = py_item(module->bodies, i)); i++)
		class_hooks_note(job, module, py_first(body));
	if (module->is_moved)
		return 0;
	if (!job->is_rerun || !module->is_changed)
		status = statements_select(job, module);
	if (status < 0 && module->is_translated)
		status = give_up_statements(job, module);
	return status == 1 ? source_choose_statements(job, module) : status;
}

int select_changed(struct job *job)
{
	int status = 0;

	job->quiet = source_quiet(job);
	job->remade = PyList_New(0);
	/* All errors of all sources are reported, then everything is refused. */
	for (size_t i = 0; i < job->modules.count; i++) {
		struct module *module = &job->modules.items[i];
		int status_of_source = source_compile(job, module);
		if (status_of_source < 0)
			failure_refuse(job, WIRE_STATUS_SOURCE_ERROR, module);
		else if (status_of_source)
			candidates_skip(job, module, WIRE_TEXT_SOURCE_GONE, NULL);
	}
	if (job->status != WIRE_STATUS_NONE)
		status = -1;
	if (!status)
		status = keep_changed(job) || spare_runs(job) ? -1 : 0;
	if (!status)
		status = star_importers_add(job);
	if (!status)
		status = classes_below_choose(job, choose_statements);
	Py_DecRef(py_take(&job->remade));
	source_loud(py_take(&job->quiet));
	job->is_selecting = 0;
	return status;
}
