/* SPDX-License-Identifier: MIT
 *
 * The plan: from the shadow run's results to the list of writes. The invariant: making a plan
 * changes nothing, and a plan that cannot be made completely is not done at all.
 */
#include "payload/plan/plan.h"

#include "payload/base/freestanding.h"
#include "payload/job/note.h"
#include "payload/job/walk.h"
#include "payload/python/class_change.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"

PyObject *plan_stand_in(const struct plan *plan, PyObject *o)
{
	PyObject *kept = pointer_map_get(&plan->stand_in, o);

	return kept ? kept : o;
}

int plan_replace(struct plan *plan, PyObject *old, PyObject *new)
{
	_cleanup_py_ PyObject *pair = py_pair(old, new);

	return py_append(plan->replaced, pair) ? -1
					       : pointer_map_set(&plan->stand_in, old, new);
}

PyObject *plan_bases(const struct plan *plan, PyObject *class)
{
	_cleanup_py_ PyObject *bases = world_bases(class);
	Py_ssize_t size = bases ? PyTuple_Size(bases) : -1;
	PyObject *out = PyTuple_New(size);

	for (Py_ssize_t i = 0; i < size; i++)
		PyTuple_SetItem(out, i, py_ref(plan_stand_in(plan, PyTuple_GetItem(bases, i))));
	return out;
}

struct class_pair *plan_pair_of(const struct plan *plan, PyObject *class)
{
	for (size_t i = 0; i < plan->class_count; i++)
		if (plan->classes[i].old == class || plan->classes[i].donor == class)
			return &plan->classes[i];
	return NULL;
}

const struct module *plan_module_of(const struct plan *plan, PyObject *dict)
{
	for (size_t i = 0; i < plan->job->modules.count; i++)
		if (plan->job->modules.items[i].fresh == dict)
			return &plan->job->modules.items[i];
	return NULL;
}

static int is_new_class(const struct plan *plan, PyObject *o)
{
	for (size_t i = 0; i < plan->job->modules.count; i++)
		if (merge_is_new_class(plan, &plan->job->modules.items[i], o))
			return 1;
	return 0;
}

/* What the run made needs no way back, and its old value is a donor. */
int plan_write(struct plan *plan, enum write_kind kind, PyObject *object, PyObject *key,
	       PyObject *value)
{
	struct write *write = writes_add(&plan->writes, kind, object, key, value);

	if (!write)
		return -1;
	write->is_kept = !is_new_class(plan, object);
	return 0;
}

/* The setters of these tell audit hooks, and do no more than write into the namespace
 * (Objects/typeobject.c, type_set_doc, type_set_type_params of 3.12); but type_set_module
 * of 3.13 takes __firstlineno__ away. And that of __class__ would set the metaclass. */
static int has_own_setter(PyObject *name)
{
	return compare_is_name(name, "__doc__ __type_params__ __module__ __class__");
}

int plan_has_write(const struct plan *p, PyObject *object, PyObject *key)
{
	for (size_t i = 0; i < p->writes.count; i++)
		if (p->writes.items[i].object == object && p->writes.items[i].key == key)
			return 1;
	return 0;
}

static int is_dunder(PyObject *name)
{
	const char *text = py_text(name);

	return text && text[0] == '_' && text[1] == '_';
}

int plan_write_attribute(struct plan *plan, PyObject *class, PyObject *name, PyObject *value)
{
	const struct world *w = &plan->job->world;
	/* A name like __call__ has a slot in the type, which type.__setattr__ fills. Else it
	 * may call a descriptor of the metaclass (a property, for one). */
	PyObject *by = is_dunder(name) ? NULL : class_that_has(w, py_type(class), name);
	int is_plain = has_own_setter(name) || (by && by != w->type);

	return plan_write(plan, is_plain ? WRITE_NAMESPACE : WRITE_TYPE, class, name, value);
}

/* Shadow modules and their namespaces stand for the live ones wherever new code kept them. */
static int add_shadows(struct plan *p)
{
	PyObject *shadows = p->shadow->shadows;
	PyObject *pair;

	for (Py_ssize_t i = 0; (pair = py_item(shadows, i)); i++) {
		PyObject *shadow = py_first(pair), *live = py_second(pair);
		PyObject *dict = shadow_live_dict(pair);
		if ((dict != live && pointer_map_set(&p->stand_in, shadow, live)) ||
		    pointer_map_set(&p->stand_in, PyModule_GetDict(shadow), dict))
			return -1;
	}
	return 0;
}

static int add_clones(struct plan *p)
{
	PyObject *clones = p->shadow->clones;
	PyObject *entry;

	for (Py_ssize_t i = 0; (entry = py_item(clones, i)); i++) {
		if (pointer_map_set(&p->stand_in, py_first(entry), py_second(entry)))
			return -1;
	}
	return 0;
}

static int plan_module(struct plan *p, struct module *m)
{
	const struct world *w = &p->job->world;
	PyObject *steps = code_steps(p->codes, m->old_file);

	if (!steps || note_module(p->job, m))
		return -1;
	/* Where the old source is not known, what is equal is; the rest as it is met. */
	if (m->old_code ? code_pair(w, m->old_code, m->code, steps)
			: code_collect(m->code, steps))
		return -1;
	return m->fresh ? merge_names(p, m) : 0;
}

/* Functions that their namespace leads to get their new code even where the collector does not
 * know them (gc.freeze). */
static int adopt_moved(struct plan *p, const struct module *m)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *found = PyList_New(0);

	if (!found || walk_functions(w, m->live, m->live, m->name, found))
		return -1;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(found, i)); i++)
		if (adopt_code_alone(p, item))
			return -1;
	return 0;
}

static void report_instances(struct plan *p)
{
	for (size_t i = 0; i < p->class_count; i++) {
		const struct class_pair *pair = &p->classes[i];
		if (!pair->is_migrating)
			continue;
		_cleanup_py_ PyObject *name = world_qualname(pair->old);
		job_note(p->job,
			 &(struct reply_item){.kind = WIRE_RECORD_INSTANCES,
					      .action = WIRE_ACTION_MIGRATED,
					      .name = py_text(name),
					      .count = pair->instances},
			 pair->module);
	}
}

PyObject *plan_metaclass(const struct plan *p, PyObject *class)
{
	PyObject *metaclass = py_type(class);

	for (size_t i = 0; i < p->writes.count; i++)
		if (p->writes.items[i].kind == WRITE_CLASS &&
		    p->writes.items[i].object == class)
			metaclass = p->writes.items[i].value;
	return metaclass;
}

static int is_bound(const struct plan *p, PyObject *value)
{
	for (size_t i = 0; i < p->job->modules.count; i++) {
		PyObject *fresh = p->job->modules.items[i].fresh, *name, *found;
		Py_ssize_t at = 0;
		while (fresh && PyDict_Next(fresh, &at, &name, &found))
			if (found == value)
				return 1;
	}
	return 0;
}

/* A part of a class is nothing by itself, and must not take the place of one. */
static int check_parts(const struct plan *p)
{
	PyObject *pair;
	for (Py_ssize_t i = 0; (pair = py_item(p->shadow->made, i)); i++) {
		PyObject *donor = py_first(pair);
		if (!pointer_map_get(&p->stand_in, donor) && is_bound(p, donor)) {
			PyErr_Format(p->job->world.error,
				     "new code has put something else in the place of %R",
				     py_second(pair));
			return -1;
		}
	}
	return 0;
}

int plan_make(struct plan *out, struct job *job, const struct shadow *shadow,
	      struct migration *migration)
{
	*out = (struct plan){.job = job, .shadow = shadow, .migration = migration};
	out->told_from = job->reply.header->used;
	out->codes = PyDict_New();
	out->caches = PyList_New(0);
	out->replaced = PyList_New(0);
	out->imports = PyDict_New();
	if (!out->codes || !out->caches || !out->replaced || !out->imports ||
	    frames_note(out) || add_shadows(out) || add_clones(out))
		return -1;
	if (merge_moved(out))
		return -1;
	for (size_t i = 0; i < job->modules.count; i++)
		if (plan_module(out, &job->modules.items[i]))
			return -1;
	if (check_parts(out) || merge_copies(out))
		return -1;
	/* Classes before functions: enums add to what stands for what. */
	if (adopt_stores(out) || adopt_metaclasses(out) || adopt_classes(out) ||
	    adopt_abstract(out) || adopt_functions(out) || adopt_wrappers(out) ||
	    adopt_names(out))
		return -1;
	for (size_t i = 0; i < job->modules.count; i++)
		if ((job->modules.items[i].is_moved || job->modules.items[i].inner) &&
		    adopt_moved(out, &job->modules.items[i]))
			return -1;
	for (size_t i = 0; i < job->modules.count; i++)
		if (note_functions(job, &job->modules.items[i], out->codes))
			return -1;
	if (rebind_references(out) || rebind_frames(out))
		return -1;
	report_instances(out);
	out->told_to = job->reply.header->used;
	return 0;
}

void plan_fini(struct plan *plan)
{
	for (size_t i = 0; i < plan->class_count; i++) {
		py_drop_all(&plan->classes[i].old, &plan->classes[i].instances);
	}
	PyMem_Free(plan->classes);
	pointer_map_fini(&plan->stand_in);
	pointer_map_fini(&plan->adopted);
	pointer_map_fini(&plan->defaults);
	py_drop_all(&plan->codes, &plan->depth);
	writes_fini(&plan->writes);
	*plan = (struct plan){0};
}
