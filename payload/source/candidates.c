/* SPDX-License-Identifier: MIT
 *
 * Content decides what changed; the stamps of files only tell which contents need no look. A
 * file that was neither written nor moved since the program began, and that the way to it leads
 * to as before, is what was imported; after an attach, the one that was seen then.
 *
 * The invariant: a module that is not looked at costs a stat, not more. There may be thousands.
 */
#include "payload/source/candidates.h"

#include <errno.h>

#include "payload/base/freestanding.h"
#include "payload/job/file.h"
#include "payload/source/filter.h"
#include "payload/source/hidden.h"
#include "payload/source/home.h"
#include "payload/source/importing.h"
#include "payload/source/origin.h"
#include "payload/source/source.h"
#include "payload/source/start.h"
#include "payload/source/way.h"

#define LOOKS 16 /* modules between two looks at the clock */

/* Going through the modules. */
struct search {
	struct job *job;
	struct filter filter;
	int64_t start_ns;
	struct way way;
	PyObject *baselines; /* or NULL */
	/* names, made once: there may be thousands to look up */
	PyObject *file, *spec, *origin;
	struct pointer_map seen; /* namespaces */
};

void candidates_skip(struct job *job, const struct module *module, const char *reason)
{
	job_note(job,
		 &(struct reply_item){.kind = WIRE_RECORD_MODULE,
				      .action = WIRE_ACTION_SKIPPED,
				      .text = reason},
		 module);
}

static int is_newer(const struct search *search, const struct file_stamp *stamp)
{
	return stamp->mtime_ns >= search->start_ns || stamp->ctime_ns >= search->start_ns;
}

/* A path that there is something at. */
struct place {
	const char *path;
	size_t length;
	struct file_stamp stamp;
	int is_link;
};

/* 1 when the file there may hold other content than what was imported; -1 with an exception;
 * else 0. */
static int may_differ(struct search *search, const struct module *module,
		      const struct place *at)
{
	struct file_stamp before;

	if (home_baseline(search->job, search->baselines, module, &before))
		return !file_stamp_equal(&before, &at->stamp);
	return is_newer(search, &at->stamp)
		       ? 1
		       : way_is_switched(&search->way, at->path, at->length, at->is_link);
}

/* The module counts as looked at; who asked hears where its source is. */
static void note_looked_at(struct search *search, const struct module *module, const char *path)
{
	search->job->reply.header->modules_looked++;
	if (job_request(search->job)->command == WIRE_COMMAND_SOURCES)
		job_note(search->job,
			 &(struct reply_item){.kind = WIRE_RECORD_SOURCE, .text = path},
			 module);
}

/* The usual case, without a look at the loader: the import system's own __file__, absolute, and
 * nothing has happened to it. */
static int is_plainly_unchanged(struct search *search, const struct module *module)
{
	const struct world *w = &search->job->world;
	PyObject *file = PyDict_GetItem(module->live, search->file);
	PyObject *spec = PyDict_GetItem(module->live, search->spec);
	Py_ssize_t length;
	struct place at;
	char *path;

	if (!file || !py_is(file, w->str) || !spec || !py_is(spec, w->module_spec))
		return 0;
	_cleanup_py_ PyObject *origin = PyObject_GetAttr(spec, search->origin);
	_cleanup_py_ PyObject *encoded = PyUnicode_EncodeFSDefault(file);
	if (origin != file || !encoded || PyBytes_AsStringAndSize(encoded, &path, &length)) {
		PyErr_Clear();
		return 0;
	}
	if (*path != '/' || length < 3 || memcmp(path + length - 3, ".py", 3) != 0)
		return 0;
	at.path = path;
	at.length = (size_t)length;
	at.is_link = (int)file_stamp_get(&at.stamp, path);
	if (at.is_link < 0)
		return 0;
	if (!filter_wants(&search->filter, PyUnicode_AsUTF8(module->name), path))
		return 1;
	int differs = may_differ(search, module, &at);
	if (!differs)
		note_looked_at(search, module, path);
	return differs < 0 ? -1 : !differs;
}

/* Of what was asked for or touched, the reader wants to know why nothing happens. Without /proc
 * nobody knows what was touched. */
static int skip(const struct search *search, const struct module *module, const char *path,
		const char *reason)
{
	struct file_stamp stamp;
	int is_touched = path && search->start_ns && file_stamp_get(&stamp, path) >= 0 &&
			 is_newer(search, &stamp);

	if (is_touched || filter_names(&search->filter, PyUnicode_AsUTF8(module->name)))
		candidates_skip(search->job, module, reason);
	return 0;
}

/* 1 when the module is a candidate. */
static int judge(struct search *search, struct module *module)
{
	char *path = NULL;
	const char *obstacle = origin_find(search->job, module);
	if (module->path && PyBytes_AsStringAndSize(module->path, &path, NULL))
		PyErr_Clear();
	if (!filter_wants(&search->filter, PyUnicode_AsUTF8(module->name), path))
		return 0;
	if (obstacle)
		return skip(search, module, path, obstacle);
	note_looked_at(search, module, path);
	long result = file_stamp_get(&module->stamp, path);
	const struct place at = {path, path ? strlen(path) : 0, module->stamp, result == 1};
	if (result >= 0)
		return may_differ(search, module, &at);
	/* A loader may have its sources anywhere. */
	if (module->kind == MODULE_OTHER)
		return 1;
	candidates_skip(search->job, module,
			result == -ENOENT ? "the source file is gone"
					  : "the source cannot be read");
	return 0;
}

/* Takes the module in whose name, key, object, anchor and namespace are there. */
static int consider(struct search *search, const struct module *of)
{
	const char *name = PyUnicode_AsUTF8(of->name);

	if (!name) {
		PyErr_Clear();
		return 0;
	}
	int unchanged = is_plainly_unchanged(search, of);
	if (unchanged)
		return unchanged < 0 ? -1 : 0;
	struct module *module = modules_add(&search->job->modules);
	if (!module)
		return -1;
	module->name = py_ref(of->name);
	module->key = py_ref(of->key);
	module->object = py_ref(of->object);
	module->anchor = py_ref(of->anchor);
	module->live = py_ref(of->live);
	module->is_main = text_equal(name, "__main__") != 0;
	module->was_importing = importing_is(&search->job->world, module) != 0;
	int status = judge(search, module);
	if (status == 1)
		return 0;
	module_fini(module);
	search->job->modules.count--;
	return status;
}

static int consider_entry(struct search *search, PyObject *name, PyObject *object)
{
	const struct world *w = &search->job->world;

	if (!py_is(name, w->str))
		return 0;
	if (!world_is_module(w, object)) {
		const struct module module = {.name = name};
		return PyUnicode_AsUTF8(name) ? skip(search, &module, NULL, "it is no module")
					      : (PyErr_Clear(), 0);
	}
	const struct module module = {
		.name = name,
		.key = name,
		.object = object,
		.anchor = object,
		.live = PyModule_GetDict(object),
	};
	if (pointer_map_get(&search->seen, module.live))
		return 0; /* by another name */
	return pointer_map_set(&search->seen, module.live, object) ? -1
								   : consider(search, &module);
}

/* One that was imported since the modules were listed is hidden no more. */
static int consider_hidden(void *context, PyObject *live, PyObject *function)
{
	struct search *search = context;
	const struct world *w = &search->job->world;
	PyObject *name = PyDict_GetItemString(live, "__name__");
	PyObject *object = PyDict_GetItem(w->modules, name);
	int is_there = object && world_is_module(w, object) && PyModule_GetDict(object) == live;
	_cleanup_py_ PyObject *key =
		is_there ? py_ref(name) : PyUnicode_FromFormat("%U at %p", name, (void *)live);
	const struct module module = {
		.name = name,
		.key = key,
		.object = is_there ? object : NULL,
		.anchor = is_there ? object : function,
		.live = live,
	};

	return key ? consider(search, &module) : -1;
}

/* Fetches the memory that the next modules are looked up in: one after the other it is waited
 * for while a module is considered, here for that of all of them at once. */
static void look_ahead(const struct search *search, PyObject *all, Py_ssize_t at)
{
	const struct world *w = &search->job->world;
	PyObject *names[LOOKS], *objects[LOOKS];
	int count = 0;

	while (count < LOOKS && PyDict_Next(all, &at, &names[count], &objects[count]))
		count += py_is(names[count], w->str) && world_is_module(w, objects[count]);
	for (int i = 0; i < count; i++) {
		objects[i] = PyModule_GetDict(objects[i]);
		__builtin_prefetch(objects[i]);
		names[i] =
			search->baselines ? PyDict_GetItem(search->baselines, names[i]) : NULL;
		__builtin_prefetch(names[i]);
	}
	for (int i = 0; i < count; i++) {
		__builtin_prefetch(PyDict_GetItem(objects[i], search->file));
		objects[i] = PyDict_GetItem(objects[i], search->spec);
		__builtin_prefetch(objects[i]);
		for (int j = 0; names[i] && j < 2; j++)
			__builtin_prefetch(PyTuple_GetItem(names[i], j));
	}
	for (int i = 0; i < count; i++)
		if (objects[i] && py_is(objects[i], w->module_spec))
			Py_DecRef(PyObject_GetAttr(objects[i], search->origin));
	PyErr_Clear();
}

static int search_all(struct search *search)
{
	_cleanup_py_ PyObject *all = PyDict_Copy(search->job->world.modules);
	PyObject *name, *object;
	Py_ssize_t at = 0;

	if (!all)
		return -1;
	for (unsigned looks = 0;; looks++) {
		if (looks % LOOKS == 0) {
			source_let_run(search->job);
			look_ahead(search, all, at);
		}
		if (!PyDict_Next(all, &at, &name, &object))
			break;
		if (consider_entry(search, name, object))
			return -1;
	}
	source_let_run(search->job);
	return hidden_find(search->job, &search->seen, consider_hidden, search);
}

static int search_init(struct search *out, struct job *job)
{
	job->start_ns = start_of_program_ns();
	*out = (struct search){
		.job = job,
		.start_ns = job->start_ns,
		.way = {.known = PyDict_New(), .since_ns = job->start_ns},
		.baselines = py_ref(home_baselines(job)),
		.file = PyUnicode_FromString("__file__"),
		.spec = PyUnicode_FromString("__spec__"),
		.origin = PyUnicode_FromString("origin"),
	};
	if (!out->way.known || !out->file || !out->spec || !out->origin)
		return -1;
	return filter_init(&out->filter, job_request(job));
}

static void search_fini(struct search *search)
{
	filter_fini(&search->filter);
	pointer_map_fini(&search->seen);
	Py_DecRef(search->way.known);
	Py_DecRef(search->baselines);
	Py_DecRef(search->file);
	Py_DecRef(search->spec);
	Py_DecRef(search->origin);
}

int candidates_find(struct job *job)
{
	struct search search;
	int status = search_init(&search, job);

	job->is_selecting = 1;
	if (!status)
		status = search_all(&search);
	search_fini(&search);
	return status;
}
