/* SPDX-License-Identifier: MIT
 *
 * Rollback: the inverse writes of the last attaches are one commit like any other, so it is all
 * or nothing, and the program cannot see half of it. Each write is done only where what the
 * attach wrote is still there.
 *
 * Classes that were replaced go back as they came: whatever refers to the new class, instances
 * made since included, refers to the old one again.
 */
#include "payload/command/rollback.h"

#include "payload/base/freestanding.h"
#include "payload/command/together.h"
#include "payload/commit/apply.h"
#include "payload/job/failure.h"
#include "payload/python/code.h"
#include "payload/record/history.h"
#include "payload/record/lineage.h"
#include "payload/record/record.h"

/* --- the plan of a way back -------------------------------------------------------------- */

/* A later replacement led to this object; it leads further back now. */
static int pass_on(struct plan *p, PyObject *now, PyObject *old)
{
	for (size_t i = 0; i < p->class_count; i++) {
		struct class_pair *pair = &p->classes[i];
		if (pair->donor != now)
			continue;
		Py_DecRef(pair->donor);
		pair->donor = py_ref(old);
		if (pointer_map_set(&p->stand_in, pair->old, old))
			return -1;
	}
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(p->replaced, i)); i++) {
		PyObject *later = py_first(item);
		if (plan_stand_in(p, later) == now && pointer_map_set(&p->stand_in, later, old))
			return -1;
	}
	return 0;
}

static int add_way_back(struct plan *p, PyObject *now, PyObject *old)
{
	_cleanup_py_ PyObject *pair = py_pair(now, old);

	if (!pair || pass_on(p, now, old) || pointer_map_set(&p->stand_in, now, old))
		return -1;
	if (!world_is_class(old))
		return PyList_Append(p->replaced, pair);
	struct class_pair *classes = merge_add_pair(p, NULL, now, old);
	if (classes)
		classes->is_migrating = 1;
	return classes ? 0 : -1;
}

/* A class that was parked goes back below its bases before anything becomes its instance. */
static int add_bases(struct plan *p, PyObject *old, PyObject *bases)
{
	_cleanup_py_ PyObject *now = world_bases(old);

	if (!now || now == bases)
		return now ? 0 : -1;
	return writes_add(&p->writes, WRITE_BASES, old, NULL, bases) ? 0 : -1;
}

static int add_migrated(struct plan *p, PyObject *migrated)
{
	const struct world *w = &p->job->world;
	PyObject *pair;

	for (Py_ssize_t i = 0; (pair = py_item(migrated, i)); i++) {
		PyObject *old = py_first(pair), *holder = py_second(pair);
		_cleanup_py_ PyObject *now = old && holder ? record_held(w, holder) : NULL;
		if (PyErr_Occurred() || (now && add_way_back(p, now, old)) ||
		    (now && world_is_class(old) && add_bases(p, old, PyTuple_GetItem(pair, 2))))
			return -1;
	}
	return 0;
}

static int add_caches(struct plan *p, PyObject *holders)
{
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(holders, i)); i++) {
		_cleanup_py_ PyObject *cache = record_held(&p->job->world, item);
		if (PyErr_Occurred() || (cache && PyList_Append(p->caches, cache)))
			return -1;
	}
	return 0;
}

/* Each attach has made the names anew. */
static int is_key_same(PyObject *a, PyObject *b)
{
	return a == b || (world_is_str(a) && world_is_str(b) && !PyUnicode_Compare(a, b));
}

/* Does one of the first `count` writes go to the same place? */
static int is_among(const struct writes *all, size_t count, const struct write *write)
{
	for (size_t i = 0; i < count; i++)
		if (all->items[i].object == write->object &&
		    all->items[i].kind == write->kind &&
		    is_key_same(all->items[i].key, write->key))
			return 1;
	return 0;
}

/* A reference that the record itself puts back is not to be rebound as well: the name that an
 * attach added for a class is to go, not to lead to the old class. */
static void drop_covered(struct plan *p, size_t inverses)
{
	struct writes *all = &p->writes;

	for (size_t i = all->count; i-- > inverses;)
		if (all->items[i].kind != WRITE_CLASS && all->items[i].kind != WRITE_WORD &&
		    is_among(all, inverses, &all->items[i]))
			writes_remove(all, i);
}

static struct module *module_of(struct job *job, PyObject *key)
{
	for (size_t i = 0; i < job->modules.count; i++)
		if (!PyUnicode_Compare(job->modules.items[i].key, key))
			return &job->modules.items[i];
	return NULL;
}

static struct module *add_module(struct job *job, PyObject *key, PyObject *entry)
{
	const struct world *w = &job->world;
	PyObject *holder = PyTuple_GetItem(entry, 2), *code = py_second(entry);
	_cleanup_py_ PyObject *anchor = holder ? record_held(w, holder) : NULL;
	struct module *module = code && anchor ? modules_add(&job->modules) : NULL;

	if (!module)
		return NULL;
	module->name = py_ref(key);
	module->key = py_ref(key);
	module->live = py_ref(world_is_function(anchor) ? PyFunction_GetGlobals(anchor)
							: PyModule_GetDict(anchor));
	module->object = world_is_function(anchor) ? NULL : py_ref(anchor);
	module->anchor = py_take(&anchor);
	module->old_code = py_ref(code);
	module->code = py_ref(code);
	return module;
}

/* What runs in a module's functions is looked at as an attach does: functions that new code
 * made since go back, too. The last attach comes first, what was before the first is to be. */
static int add_modules(struct job *job, PyObject *baselines)
{
	PyObject *key, *entry;
	Py_ssize_t at = 0;

	while (PyDict_Next(baselines, &at, &key, &entry)) {
		struct module *module = module_of(job, key);
		PyObject *before = py_first(entry);
		if (!module)
			module = add_module(job, key, entry);
		if (PyErr_Occurred())
			return -1;
		if (!module || before == job->world.none)
			continue;
		Py_DecRef(py_take(&module->code));
		module->code = py_ref(PyTuple_GetItem(before, 2));
	}
	return PyErr_Occurred() ? -1 : 0;
}

/* The weak references of a record followed the class that was replaced by a later attach. */
static int invert(struct plan *p, PyObject *record)
{
	size_t first = p->writes.count;

	if (record_invert(&p->writes, &p->job->world, record))
		return -1;
	for (size_t i = first; i < p->writes.count; i++) {
		struct write *write = &p->writes.items[i];
		PyObject *object = py_ref(plan_stand_in(p, write->object));
		Py_DecRef(write->object);
		write->object = object;
	}
	return 0;
}

static int add_attach(struct plan *p, PyObject *entry)
{
	if (invert(p, PyTuple_GetItem(entry, HISTORY_WRITES)) ||
	    add_migrated(p, PyTuple_GetItem(entry, HISTORY_MIGRATED)) ||
	    add_caches(p, PyTuple_GetItem(entry, HISTORY_CACHES)) ||
	    add_modules(p->job, PyTuple_GetItem(entry, HISTORY_BASELINES)))
		return -1;
	return 0;
}

/* A function that was made between two of the attaches: its record does not lead to the end. */
static int finish_function(struct plan *p, PyObject *function, PyObject *code)
{
	const struct world *w = &p->job->world;
	PyObject *end = code_next(p->codes, code);

	if (pointer_map_get(&p->adopted, function) || end == code)
		return 0;
	_cleanup_py_ PyObject *cells = end ? adopt_cells(w, function, end) : NULL;
	_cleanup_py_ PyObject *value = py_pair(end, cells);
	if (PyErr_Occurred() || (value && plan_write(p, WRITE_CODE, function, NULL, value)))
		return -1;
	return pointer_map_set(&p->adopted, function, function);
}

/* The last inverse write of each function is the one that stays. */
static int finish_functions(struct plan *p)
{
	for (size_t i = p->writes.count; i-- > 0;) {
		const struct write *write = &p->writes.items[i];
		if (write->kind == WRITE_CODE &&
		    finish_function(p, write->object, py_first(write->value)))
			return -1;
	}
	return 0;
}

/* The complement that a flag keeps is made when it is asked for. */
static int settle_flags(struct plan *p, size_t at)
{
	struct write *write = &p->writes.items[at];

	if (write->kind == WRITE_ITEM && world_is_str(write->key) &&
	    !PyUnicode_CompareWithASCIIString(write->key, "_inverted_"))
		write->is_guarded = 0;
	return adopt_enum_back(p, at);
}

static int plan_back(struct plan *p, const struct history *history, Py_ssize_t to)
{
	p->codes = PyDict_New();
	p->caches = PyList_New(0);
	p->replaced = PyList_New(0);
	if (!p->codes || !p->caches || !p->replaced ||
	    lineage_back(p->job, history, to, p->codes))
		return -1;
	for (Py_ssize_t i = history->count; i > to; i--) {
		PyObject *entry = history_entry(&p->job->world, history, i);
		if (!entry || add_attach(p, entry))
			return -1;
	}
	for (size_t i = 0, count = p->writes.count; i < count; i++)
		if (settle_flags(p, i))
			return -1;
	if (finish_functions(p))
		return -1;
	size_t inverses = p->writes.count;
	if (rebind_references(p))
		return -1;
	drop_covered(p, inverses);
	return 0;
}

/* --- what stands in the way -------------------------------------------------------------- */

static PyObject *subject_of(const struct write *write)
{
	PyObject *o = write->object;
	PyObject *module = world_is_dict(o) ? PyDict_GetItemString(o, "__name__") : NULL;

	if (world_is_str(module) && world_is_str(write->key))
		return world_dotted(module, write->key);
	if (!world_is_function(o) && !world_is_class(o))
		return PyUnicode_FromString("an object of the program");
	_cleanup_py_ PyObject *name = world_is_function(o)
					      ? PyObject_GetAttrString(o, "__qualname__")
					      : world_qualname(o);
	if (name && (write->kind == WRITE_TYPE || write->kind == WRITE_NAMESPACE) &&
	    world_is_str(write->key))
		return world_dotted(name, write->key);
	return py_take(&name);
}

static int refuse_changed(struct plan *p, const struct write *write)
{
	_cleanup_py_ PyObject *subject = subject_of(write);

	PyErr_Clear();
	return job_refuse(p->job, WIRE_STATUS_REFUSED, NULL, WIRE_TEXT_CHANGED_SINCE, subject);
}

/* Everything that stands in the way is named. Where several attaches wrote, the last one's
 * value is what has to be there. */
static int check(struct plan *p)
{
	int status = 0;

	for (size_t i = 0; i < p->writes.count; i++) {
		const struct write *write = &p->writes.items[i];
		if (!write_may_be_done(write, &p->job->world) &&
		    !is_among(&p->writes, i, write))
			status = refuse_changed(p, write);
	}
	return status;
}

static int refuse_failed(struct plan *p)
{
	_cleanup_py_ PyObject *reason = failure_text(&p->job->world);
	_cleanup_py_ PyObject *subject = p->writes.failed ? subject_of(p->writes.failed) : NULL;

	PyErr_Clear();
	_cleanup_py_ PyObject *both =
		subject ? PyUnicode_FromFormat("%s" WIRE_NEXT "%U", failure_subject(subject),
					       reason)
			: NULL;
	return job_refuse(p->job, WIRE_STATUS_REFUSED, NULL,
			  both ? WIRE_TEXT_NOT_PUT_BACK : WIRE_TEXT_NONE, both ? both : reason);
}

/* --- the command ------------------------------------------------------------------------- */

static int take_back(struct plan *p, struct history *history, Py_ssize_t to)
{
	struct frame_types types;
	int is_begun = 0;

	if (plan_back(p, history, to) || check(p))
		return -1;
	int status = apply_commit(p, &is_begun);
	if (status)
		return status == 1 ? refuse_failed(p) : -1;
	/* One that may be taken back has a record of its own, above those that it is about. */
	if (together_is_asked(p->job) && history_push(p))
		return apply_refuse_broken(p->job);
	if (frame_types_init(&types, &p->job->world))
		apply_warn(p->job);
	apply_aftermath(p, &types);
	frame_types_fini(&types);
	if (!together_is_asked(p->job) && history_cut(p->job, history, to))
		apply_warn(p->job);
	return 0;
}

/* The position in the history of the last attach that stays; -1 with an exception. */
static Py_ssize_t find(struct history *history, struct job *job, Py_ssize_t last)
{
	return history_get(history, job) ? -1 : history_position(job, history, last);
}

int rollback_has_work(struct job *job, Py_ssize_t last)
{
	struct history history;
	Py_ssize_t to = find(&history, job, last);

	return to < 0 ? -1 : to < history.count;
}

int rollback_try(struct job *job, Py_ssize_t last)
{
	struct reply_mark records = reply_mark(&job->reply);
	struct migration migration = {0};
	struct shadow shadow = {0};
	struct plan plan = {.job = job, .shadow = &shadow, .migration = &migration};
	struct history history;
	Py_ssize_t to = find(&history, job, last);
	int status = to < 0 || plan_back(&plan, &history, to) || check(&plan) ? -1 : 0;

	plan_fini(&plan);
	modules_fini(&job->modules);
	if (!status)
		reply_cut(&job->reply, records);
	return status;
}

int rollback_run(struct job *job, Py_ssize_t last)
{
	struct migration migration = {0};
	struct shadow shadow = {0};
	struct plan plan = {.job = job, .shadow = &shadow, .migration = &migration};
	struct history history;
	Py_ssize_t to = find(&history, job, last);

	job_phase(job, WIRE_PHASE_PLAN);
	int status = to < 0 ? -1 : take_back(&plan, &history, to);
	plan_fini(&plan);
	return status;
}
