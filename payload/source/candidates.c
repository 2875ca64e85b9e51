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
#include "payload/source/elsewhere.h"
#include "payload/source/filter.h"
#include "payload/source/hidden.h"
#include "payload/source/home.h"
#include "payload/source/importing.h"
#include "payload/source/origin.h"
#include "payload/source/source.h"
#include "payload/source/stamps.h"
#include "payload/source/start.h"
#include "payload/source/way.h"

#define LOOKS 32 /* modules between two looks at the clock */

/* Going through the modules. */
struct search {
	struct job *job;
	struct filter filter;
	int64_t start_ns;
	struct way way;
	PyObject *baselines;     /* or NULL */
	PyObject *all;           /* dict: the modules */
	PyObject *paths;         /* list of bytes: files of modules, in plain sight */
	struct stamps *stamps;   /* of the paths, one for each of `all` */
	struct pointer_map seen; /* namespaces */
};

void candidates_skip(struct job *job, const struct module *module, enum wire_text wording,
		     PyObject *arguments)
{
	job_note(job,
		 &(struct reply_item){.kind = WIRE_RECORD_MODULE,
				      .action = WIRE_ACTION_SKIPPED,
				      .wording = wording,
				      .text = py_text(arguments)},
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

	if (module->place)
		return 1;
	if (home_baseline(search->baselines, module, &before))
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

/* 1 when the module is not to be looked at; 0; -1 with an exception. `file`: its own, where it
 * is plain to see. */
static int is_unchanged(struct search *search, const struct module *module,
			const struct stamped *file)
{
	if (!file || !file->path || file->result < 0)
		return 0;
	const struct place at = {file->path, file->length, file->stamp, file->result == 1};
	if (!filter_wants(&search->filter, py_text(module->name), file->path))
		return 1;
	int differs = may_differ(search, module, &at);
	if (!differs)
		note_looked_at(search, module, file->path);
	return differs < 0 ? -1 : !differs;
}

/* Of what was asked for or touched, the reader wants to know why nothing happens. Without /proc
 * nobody knows what was touched. */
static int skip(const struct search *search, const struct module *module, const char *path,
		enum wire_text reason)
{
	struct file_stamp stamp;
	int is_touched = path && search->start_ns && file_stamp_get(&stamp, path) >= 0 &&
			 is_newer(search, &stamp);

	if (is_touched || filter_names(&search->filter, py_text(module->name)))
		candidates_skip(search->job, module, reason, NULL);
	return 0;
}

/* 1 when the module is a candidate. */
static int judge(struct search *search, struct module *module)
{
	enum wire_text obstacle;
	const char *path;
	long result;

	do {
		obstacle = origin_find(search->job, module);
		path = py_bytes(module->path);
		result = obstacle ? 0 : file_stamp_get(&module->stamp, path);
	} while (result == -ENOENT && elsewhere_find(search->job, module));
	if (!filter_wants(&search->filter, py_text(module->name), path))
		return 0;
	if (obstacle)
		return skip(search, module, path, obstacle);
	note_looked_at(search, module, path);
	const struct place at = {path, path ? strlen(path) : 0, module->stamp, result == 1};
	if (result >= 0)
		return may_differ(search, module, &at);
	/* A loader may have its sources anywhere, or none (gi.repository). */
	if (module->kind == MODULE_OTHER && (result != -ENOENT || source_has_way(module)))
		return 1;
	if (path && *path == '<')
		return skip(search, module, NULL, WIRE_TEXT_NO_FILE);
	candidates_skip(search->job, module,
			result == -ENOENT ? WIRE_TEXT_FILE_GONE : WIRE_TEXT_UNREADABLE, NULL);
	return 0;
}

/* Takes the module in whose name, key, object, anchor and namespace are there. */
static int consider(struct search *search, const struct module *of, const struct stamped *file)
{
	const char *name = py_text(of->name);

	if (!name)
		return 0;
	int unchanged = is_unchanged(search, of, file);
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

static int consider_entry(struct search *search, PyObject *name, PyObject *object,
			  const struct stamped *file)
{
	if (!world_is_str(name))
		return 0;
	if (!world_is_module(object)) {
		const struct module module = {.name = name};
		return py_text(name) ? skip(search, &module, NULL, WIRE_TEXT_NO_MODULE) : 0;
	}
	const struct module module = {
		.name = name,
		.key = name,
		.object = object,
		.anchor = object,
		.live = file->live,
	};
	return module.live ? consider(search, &module, file) : 0;
}

/* One that was imported since the modules were listed is hidden no more. */
static int consider_hidden(void *context, PyObject *live, PyObject *function)
{
	struct search *search = context;
	const struct world *w = &search->job->world;
	PyObject *name = PyDict_GetItemString(live, "__name__");
	PyObject *object = PyDict_GetItem(w->modules, name);
	int is_there = world_is_module(object) && PyModule_GetDict(object) == live;
	_cleanup_py_ PyObject *key =
		is_there ? py_ref(name) : PyUnicode_FromFormat("%U at %p", name, (void *)live);
	const struct module module = {
		.name = name,
		.key = key,
		.object = is_there ? object : NULL,
		.anchor = is_there ? object : function,
		.live = live,
	};

	return key ? consider(search, &module, NULL) : -1;
}

/* The import system's own __file__, absolute: the usual case, without a look at the loader. */
static const char *plain_path(struct search *search, PyObject *file, PyObject *spec,
			      size_t *length_out)
{
	const struct world *w = &search->job->world;
	Py_ssize_t length;
	char *path;

	if (!world_is_str(file) || !py_is(spec, w->module_spec))
		return NULL;
	_cleanup_py_ PyObject *origin = PyObject_GetAttr(spec, w->name[NAME_ORIGIN]);
	_cleanup_py_ PyObject *encoded =
		origin == file ? PyUnicode_EncodeFSDefault(file) : NULL;
	if (!encoded || PyBytes_AsStringAndSize(encoded, &path, &length) || *path != '/' ||
	    length < 3 || memcmp(path + length - 3, ".py", 3) != 0 ||
	    PyList_Append(search->paths, encoded)) {
		PyErr_Clear();
		return NULL;
	}
	*length_out = (size_t)length;
	return path;
}

/* Nothing is said of it but to who asks for it by name. */
static int is_built_in(const struct search *search, PyObject *live)
{
	const struct world *w = &search->job->world;
	_cleanup_py_ PyObject *loader = origin_of_spec(w, live, NAME_LOADER);

	return loader && loader == w->builtin_importer && !search->filter.module_count;
}

/* A part of sys.modules at a time. The memory that it is looked up in is fetched for all of it
 * at once, here and below: one after the other it would be waited for. */
struct some {
	PyObject *name[LOOKS], *object[LOOKS];
	int count; /* 0 when there are no more */
};

static void take_some(struct some *out, const struct search *search, Py_ssize_t *at)
{
	int i = 0;

	for (; i < LOOKS && PyDict_Next(search->all, at, &out->name[i], &out->object[i]); i++) {
		__builtin_prefetch(out->name[i]);
		__builtin_prefetch(out->object[i]);
	}
	out->count = i;
}

static int list_some(struct search *search, Py_ssize_t *at)
{
	const struct world *w = &search->job->world;
	PyObject *live[LOOKS], *file[LOOKS], *spec[LOOKS];
	struct some some;

	take_some(&some, search, at);
	for (int i = 0; i < some.count; i++) {
		live[i] = world_is_str(some.name[i]) && world_is_module(some.object[i])
				  ? PyModule_GetDict(some.object[i])
				  : NULL;
		__builtin_prefetch(live[i]);
	}
	for (int i = 0; i < some.count; i++) {
		file[i] = py_get(live[i], w->name[NAME_FILE]);
		__builtin_prefetch(file[i]);
		spec[i] = py_get(live[i], w->name[NAME_SPEC]);
		__builtin_prefetch(spec[i]);
	}
	for (int i = 0; i < some.count; i++) {
		int is_new = live[i] ? pointer_map_add(&search->seen, live[i]) : 0;
		if (is_new < 0)
			return -1;
		size_t length = 0;
		const char *path =
			is_new ? plain_path(search, file[i], spec[i], &length) : NULL;
		int is_left_out = !is_new || (!file[i] && is_built_in(search, live[i]));
		stamps_list(search->stamps, is_left_out ? NULL : live[i], path, length);
	}
	return some.count;
}

static int list_all(struct search *search)
{
	Py_ssize_t at = 0;
	int more;

	do {
		source_let_run(search->job);
		more = list_some(search, &at);
	} while (more > 0);
	return more;
}

static const struct stamped *take_all(struct search *search)
{
	while (stamps_take(search->stamps))
		source_let_run(search->job);
	return stamps_finish(search->stamps);
}

static int consider_some(struct search *search, Py_ssize_t *at, const struct stamped *file)
{
	PyObject *before[LOOKS];
	struct some some;

	take_some(&some, search, at);
	for (int i = 0; i < some.count; i++) {
		before[i] = search->baselines && world_is_str(some.name[i])
				    ? PyDict_GetItem(search->baselines, some.name[i])
				    : NULL;
		__builtin_prefetch(before[i]);
	}
	for (int i = 0; i < some.count; i++)
		for (int j = 0; before[i] && j < 2; j++)
			__builtin_prefetch(PyTuple_GetItem(before[i], j));
	for (int i = 0; i < some.count; i++)
		if (consider_entry(search, some.name[i], some.object[i], &file[i]))
			return -1;
	return some.count;
}

static int consider_all(struct search *search, const struct stamped *file)
{
	Py_ssize_t at = 0;
	int more;

	do {
		source_let_run(search->job);
		more = consider_some(search, &at, file);
		file += LOOKS;
	} while (more > 0);
	return more;
}

static int search_all(struct search *search)
{
	struct hidden hidden;

	search->all = PyDict_Copy(search->job->world.modules);
	search->paths = PyList_New(0);
	search->stamps = search->all ? stamps_new((size_t)PyDict_Size(search->all),
						  job_may_wait(search->job))
				     : NULL;
	if (!search->paths || !search->stamps || list_all(search))
		return -1;
	int status = hidden_find(&hidden, search->job, search->all, &search->seen);
	const struct stamped *files = take_all(search);
	if (!status)
		status = consider_all(search, files);
	if (!status)
		status = hidden_tell(&hidden, consider_hidden, search);
	hidden_fini(&hidden);
	return status;
}

static int search_init(struct search *out, struct job *job)
{
	job->start_ns = start_of_program_ns();
	*out = (struct search){
		.job = job,
		.start_ns = job->start_ns,
		.way = {.known = PyDict_New(), .since_ns = job->start_ns},
		.baselines = py_ref(home_baselines(job)),
	};
	if (!out->way.known)
		return -1;
	return filter_init(&out->filter, job_request(job));
}

static void search_fini(struct search *search)
{
	stamps_free(search->stamps);
	filter_fini(&search->filter);
	pointer_map_fini(&search->seen);
	Py_DecRef(search->way.known);
	py_drop_all(&search->baselines, &search->stamps);
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
