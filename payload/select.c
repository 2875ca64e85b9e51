/* SPDX-License-Identifier: MIT
 *
 * Selection. Content decides what changed; the stamps of files only tell which contents need no
 * look: one that was neither written nor moved since the process started is what was imported.
 */
#include "payload/select.h"

#include <errno.h>

#include "payload/failure.h"
#include "payload/file.h"
#include "payload/filter.h"
#include "payload/freestanding.h"
#include "payload/home.h"
#include "payload/pointer_map.h"
#include "payload/running.h"
#include "payload/source.h"
#include "payload/statements.h"

#define START_MARGIN_NS 2000000000LL /* clocks are adjusted, ticks are coarse */

static void module_fini(struct module *m)
{
	PyObject *const owned[] = {m->name,   m->object, m->live,     m->file,
				   m->source, m->code,   m->run_code, m->old_code,
				   m->shadow, m->fresh,  m->before,   m->binds,
				   m->inner,  m->kept,   m->refreshed};

	*m = (struct module){0};
	for (size_t i = 0; i < sizeof(owned) / sizeof(*owned); i++)
		Py_DecRef(owned[i]);
}

void modules_fini(struct modules *modules)
{
	for (size_t i = 0; i < modules->count; i++)
		module_fini(&modules->items[i]);
	PyMem_Free(modules->items);
	*modules = (struct modules){0};
}

static struct module *modules_add(struct modules *modules)
{
	if (modules->count == modules->capacity) {
		size_t capacity = modules->capacity ? modules->capacity * 2 : 16;
		struct module *items = PyMem_Realloc(modules->items, capacity * sizeof(*items));
		if (!items) {
			PyErr_NoMemory();
			return NULL;
		}
		modules->items = items;
		modules->capacity = capacity;
	}
	struct module *module = &modules->items[modules->count++];
	memset(module, 0, sizeof(*module));
	return module;
}

/* The .py file of a module, borrowed; NULL for extension modules, packages without __init__,
 * frozen and sourceless modules, and whatever else is in sys.modules. */
static PyObject *file_of(const struct job *job, PyObject *object)
{
	const struct world *w = &job->world;

	if (!world_is_module(w, object))
		return NULL;
	PyObject *file = PyDict_GetItemString(PyModule_GetDict(object), "__file__");
	if (!file || !py_is(file, w->str))
		return NULL;
	_cleanup_py_ PyObject *suffix = PyUnicode_FromString(".py");
	return suffix && PyUnicode_Tailmatch(file, suffix, 0, PTRDIFF_MAX, 1) == 1 ? file
										   : NULL;
}

/* Going through the modules. */
struct search {
	struct job *job;
	struct filter filter;
	int64_t start_ns;
};

/* 1 when the file at `path` may hold other content than what was imported. */
static int may_differ(const struct search *search, struct module *module, const char *path)
{
	struct job *job = search->job;
	struct file_stamp before;
	long result = file_stamp_get(&module->stamp, path);
	if (result) {
		job_note(job,
			 &(struct reply_item){.kind = WIRE_RECORD_MODULE,
					      .action = WIRE_ACTION_SKIPPED,
					      .text = result == -ENOENT
							      ? "the source file is gone"
							      : "the source cannot be read"},
			 module);
		return 0;
	}
	_cleanup_py_ PyObject *baseline = home_baseline(job, module, &before);
	if (baseline)
		return !file_stamp_equal(&before, &module->stamp);
	return module->stamp.mtime_ns >= search->start_ns ||
	       module->stamp.ctime_ns >= search->start_ns;
}

static int consider(const struct search *search, PyObject *name, PyObject *object)
{
	struct job *job = search->job;
	PyObject *file = file_of(job, object);
	const char *text = file && py_is(name, job->world.str) ? PyUnicode_AsUTF8(name) : NULL;
	_cleanup_py_ PyObject *encoded = text ? PyUnicode_EncodeFSDefault(file) : NULL;
	char *path;

	if (!encoded || PyBytes_AsStringAndSize(encoded, &path, NULL) ||
	    !filter_wants(&search->filter, text, path)) {
		PyErr_Clear();
		return 0;
	}
	struct module *module = modules_add(&job->modules);
	if (!module)
		return -1;
	module->name = py_ref(name);
	module->object = py_ref(object);
	module->live = py_ref(PyModule_GetDict(object));
	module->file = py_ref(file);
	module->is_main = text_equal(text, "__main__") != 0;
	job->reply.header->modules_looked++;
	if (!may_differ(search, module, path)) {
		module_fini(module);
		job->modules.count--;
	}
	return 0;
}

int select_candidates(struct job *job)
{
	_cleanup_py_ PyObject *all = PyDict_Copy(job->world.modules);
	struct search search = {.job = job,
				.start_ns = file_process_start_ns() - START_MARGIN_NS};
	struct pointer_map seen = {0};
	PyObject *name, *object;
	Py_ssize_t at = 0;
	int status = all ? filter_init(&search.filter, job_request(job)) : -1;

	while (!status && PyDict_Next(all, &at, &name, &object)) {
		if (pointer_map_get(&seen, object))
			continue;
		status = pointer_map_set(&seen, object, object) ||
			 consider(&search, name, object);
	}
	filter_fini(&search.filter);
	pointer_map_fini(&seen);
	return status;
}

/* All errors of all sources are reported, then everything is refused. */
static void refuse_source(struct job *job, const struct module *module)
{
	_cleanup_py_ PyObject *text = failure_text(&job->world);

	job_refuse(job, WIRE_STATUS_SOURCE_ERROR, module, text);
}

static int keep_changed(struct job *job)
{
	struct modules *all = &job->modules;
	size_t kept = 0;

	for (size_t i = 0; i < all->count; i++) {
		struct module *module = &all->items[i];
		if (running_compare(job, module))
			return -1;
		if (module->is_changed) {
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

static int choose_statements(struct job *job, struct module *module)
{
	int status = 1;

	if (module->is_moved)
		return 0;
	if (!job->is_rerun)
		status = statements_select(job, module);
	return status == 1 ? source_choose_statements(job, module) : status;
}

int select_changed(struct job *job)
{
	PyObject *quiet = source_quiet(job);
	int status = 0;

	for (size_t i = 0; i < job->modules.count; i++) {
		struct module *module = &job->modules.items[i];
		if (source_compile(job, module))
			refuse_source(job, module);
	}
	if (job->status != WIRE_STATUS_NONE)
		status = -1;
	if (!status)
		status = keep_changed(job);
	for (size_t i = 0; !status && i < job->modules.count; i++)
		status = choose_statements(job, &job->modules.items[i]);
	source_loud(job, quiet);
	return status;
}
