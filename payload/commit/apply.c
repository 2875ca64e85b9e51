/* SPDX-License-Identifier: MIT
 *
 * The commit. The invariant: from the first write to the last no bytecode runs and the GIL is
 * held, and either all writes are done or none is.
 */
#include "payload/commit/apply.h"

#include "payload/base/freestanding.h"
#include "payload/base/sys.h"
#include "payload/commit/parking.h"
#include "payload/heap/word.h"
#include "payload/job/failure.h"
#include "payload/job/frames.h"
#include "payload/job/idle.h"
#include "payload/job/walk.h"
#include "payload/rebind/rebind_weak.h"
#include "payload/record/history.h"
#include "payload/source/home.h"

/* Every class is below object. type.__subclasses__ of each knows its own. */
int migration_init(struct migration *out, struct job *job)
{
	*out = (struct migration){0};
	return walk_subclasses(&out->old_classes, &job->world, job->world.object, 0);
}

void migration_fini(struct migration *migration)
{
	pointer_map_fini(&migration->old_classes);
	pointer_map_fini(&migration->must_move);
	pointer_map_fini(&migration->left);
}

static int is_class_set(const struct write *write)
{
	return write->kind == WRITE_CLASS || write->kind == WRITE_INSTANCES;
}

static int refuse_bases(struct job *job, PyObject *class, PyObject *reason)
{
	_cleanup_py_ PyObject *name = world_qualname(class);
	_cleanup_py_ PyObject *arguments =
		PyUnicode_FromFormat("%s" WIRE_NEXT "%U", failure_subject(name), reason);

	return job_refuse(job, WIRE_STATUS_REFUSED, NULL, WIRE_TEXT_BASES, arguments);
}

/* Did the write fail for what a class that is not yet to migrate is? Bases that the setter
 * refused, maybe those of a class that did not change, or an object of the donor that cannot
 * become one of the class (a member of an enum of tuples, up to 3.11). */
static int is_for_class(const struct write *failed, const struct class_pair *pair)
{
	if (pair && pair->is_migrating)
		return 0;
	return failed->kind == WRITE_BASES || (is_class_set(failed) && pair && !pair->is_part);
}

/* Instances of one class that only the records hold. */
struct leaving {
	struct job *job;
	PyObject *class; /* borrowed */
	struct pointer_map *left;
	int any; /* out */
};

/* Besides the holder, the write and `inside` refer to it. */
static int leave_those_in(void *context, PyObject *holder)
{
	struct leaving *l = context;
	const struct world *w = &l->job->world;
	_cleanup_py_ PyObject *inside = py_call(w->get_referents, holder);
	PyObject *o;

	for (Py_ssize_t i = 0; (o = py_item(inside, i)); i++) {
		if (py_type(o) != l->class || pointer_map_get(l->left, o) ||
		    rebind_is_weakly_held(w, o) ||
		    !history_holds_alone(l->job, o, 1 + word_references(w, inside, o)))
			continue;
		if (pointer_map_set(l->left, o, o))
			return -1;
		l->any = 1;
	}
	return inside ? 0 : -1;
}

/* What the program has no more stays what it was, for the way back: that is no reason to
 * refuse. 1 when there are such among the instances that could not move. */
static int leave_recorded(struct job *job, struct migration *migration,
			  const struct write *failed)
{
	struct leaving l = {job, failed->object, &migration->left, 0};

	return failed->kind == WRITE_INSTANCES && history_visit(job, leave_those_in, &l)
		       ? -1
		       : l.any;
}

/* 1: the class is to migrate, with those below it, and the plan to be made anew. */
static int judge_failure(struct plan *p, struct migration *migration)
{
	const struct write *failed = p->writes.failed;
	const struct class_pair *pair =
		failed ? plan_pair_of(p, is_class_set(failed) ? failed->value : failed->object)
		       : NULL;
	PyObject *class = pair ? pair->old : failed ? failed->object : NULL;

	if (failed && is_for_class(failed, pair) &&
	    !pointer_map_get(&migration->must_move, class) &&
	    world_is_type_error(&p->job->world)) {
		PyErr_Clear();
		return pointer_map_set(&migration->must_move, class, class) ||
				       walk_subclasses(&migration->must_move, &p->job->world,
						       class, 0)
			       ? -1
			       : 1;
	}
	int is_bases = failed && failed->kind == WRITE_BASES;
	if (!is_bases && (!pair || !is_class_set(failed)))
		return failure_refuse(p->job, WIRE_STATUS_REFUSED, NULL);
	_cleanup_py_ PyObject *reason = failure_text(&p->job->world);
	if (is_bases)
		return refuse_bases(p->job, failed->object, reason);
	int left = leave_recorded(p->job, migration, failed);
	if (left)
		return left;
	_cleanup_py_ PyObject *name = world_qualname(pair->old);
	_cleanup_py_ PyObject *arguments =
		PyUnicode_FromFormat("%u" WIRE_NEXT "%s" WIRE_NEXT "%U",
				     (unsigned)pair->instances, failure_subject(name), reason);
	return job_refuse(p->job, WIRE_STATUS_REFUSED, pair->module, WIRE_TEXT_INSTANCES,
			  arguments);
}

/* Tracebacks show the new lines, also when the file looks as old as before. */
static void forget_lines(struct job *job, const struct module *module)
{
	const struct world *w = &job->world;
	PyObject *cache = world_loaded(w, "linecache", "cache");

	if (world_is_dict(cache) && PyDict_GetItem(cache, module->file) &&
	    PyDict_DelItem(cache, module->file))
		PyErr_Clear();
}

static void clear_cache(const struct world *w, PyObject *cache)
{
	/* 3.7; C, and calls nothing */
	PyObject *reset = world_loaded(w, "_abc", "_reset_caches");
	PyObject *cleared = !world_is_class(cache)
				    ? PyObject_CallMethod(cache, "cache_clear", NULL)
			    : reset ? py_call(reset, cache)
				    : NULL;

	Py_DecRef(cleared);
	PyErr_Clear();
}

/* What has or has not the methods that collections.abc asks for, may be otherwise now. */
static void forget_subclasses(const struct world *w)
{
	PyObject *module = PyDict_GetItemString(w->modules, "_collections_abc");
	_cleanup_py_ PyObject *values =
		world_is_module(module) ? PyDict_Values(PyModule_GetDict(module)) : NULL;
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(values, i)); i++)
		if (py_is(item, w->abc_meta))
			clear_cache(w, item);
}

void apply_aftermath(struct plan *p, const struct frame_types *types)
{
	struct job *job = p->job;

	if (p->touches_class_dict)
		world_forget_lookups(&job->world, job->world.object, 0);
	job_phase(job, WIRE_PHASE_REPORT);
	if (frames_report(job, types, p->codes) < 0)
		PyErr_Clear();
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(p->caches, i)); i++)
		clear_cache(&job->world, item);
	forget_subclasses(&job->world);
}

static int remember(struct plan *p)
{
	struct job *job = p->job;

	if (history_push(p))
		return -1;
	for (size_t i = 0; i < job->modules.count; i++) {
		forget_lines(job, &job->modules.items[i]);
		if (home_remember(job, &job->modules.items[i]))
			return -1;
	}
	return 0;
}

/* When they refuse, ours is as if it had not been; their reason is in the reply. */
static int commit_others(struct plan *p, int *undo_failed)
{
	struct job *job = p->job;

	if (!job->commit_others || !job->commit_others(job->commit_context))
		return 0;
	*undo_failed = writes_undo(&p->writes, &job->world);
	if (!*undo_failed)
		job->status = WIRE_STATUS_REFUSED;
	return -1;
}

int apply_refuse_broken(struct job *job)
{
	return failure_refuse(job, WIRE_STATUS_BROKEN, NULL);
}

int apply_commit(struct plan *p, int *is_begun)
{
	struct job *job = p->job;
	int undo_failed;

	job_phase(job, WIRE_PHASE_COMMIT);
	if (!*is_begun && job_begin_commit(job))
		return -1;
	*is_begun = 1;
	int64_t start = sys_now_ns();
	int status = writes_commit(&p->writes, &job->world, &undo_failed);
	job->reply.header->commit_ns += (uint64_t)(sys_now_ns() - start);
	if (!status && !undo_failed && commit_others(p, &undo_failed))
		return undo_failed ? apply_refuse_broken(job) : -1;
	if (!undo_failed)
		return status ? 1 : 0;
	return apply_refuse_broken(job);
}

/* What fails after the commit is bookkeeping; it cannot make it undone. */
void apply_warn(struct job *job)
{
	_cleanup_py_ PyObject *reason = failure_text(&job->world);

	job_warn(job, NULL, NULL, WIRE_TEXT_NONE, reason);
}

/* Donors are cycles. Where the program has turned the collector off, they stay. */
static void hide_donors(const struct plan *p)
{
	if (p->job->world.is_gc_enabled)
		return;
	for (size_t i = 0; i < p->class_count; i++)
		if (!p->classes[i].is_migrating)
			parking_hide(&p->job->world, p->classes[i].donor);
}

static void settle(struct plan *p, const struct frame_types *types)
{
	apply_aftermath(p, types);
	hide_donors(p);
	if (remember(p))
		apply_warn(p->job);
}

/* 1: the plan is to be made anew. */
static int commit(struct plan *p, struct migration *migration, const struct frame_types *types,
		  int *is_begun)
{
	int status = apply_commit(p, is_begun);

	if (status == 1)
		return judge_failure(p, migration);
	if (!status)
		settle(p, types);
	return status;
}

int apply_try(struct job *job, const struct shadow *shadow, struct migration *migration)
{
	struct reply_mark records = reply_mark(&job->reply);
	struct frame_types types;
	struct plan plan = {.job = job};
	int status = frame_types_init(&types, &job->world);

	if (!status)
		status = plan_make(&plan, job, shadow, migration);
	if (!status && idle_wait(job, &types, plan.codes, idle_limit_of(job)) < 0)
		status = -1;
	plan_fini(&plan);
	frame_types_fini(&types);
	if (!status)
		reply_cut(&job->reply, records);
	return status;
}

int apply(struct job *job, const struct shadow *shadow, struct migration *migration)
{
	struct reply_mark records = reply_mark(&job->reply);
	int64_t idle_limit = idle_limit_of(job);
	struct frame_types types;
	int is_begun = 0, status = frame_types_init(&types, &job->world) ? -1 : 1;

	while (status == 1) {
		struct plan plan;
		int64_t start = sys_now_ns();

		job_phase(job, WIRE_PHASE_PLAN);
		reply_cut(&job->reply, records);
		status = plan_make(&plan, job, shadow, migration);
		job->reply.header->plan_ns += (uint64_t)(sys_now_ns() - start);
		if (!status && !is_begun)
			status = idle_wait(job, &types, plan.codes, idle_limit);
		if (!status)
			status = commit(&plan, migration, &types, &is_begun);
		plan_fini(&plan);
	}
	frame_types_fini(&types);
	return status;
}
