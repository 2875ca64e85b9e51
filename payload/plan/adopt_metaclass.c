/* SPDX-License-Identifier: MIT
 *
 * Another metaclass for a class that stays, and for what is below it: the metaclass of a class
 * goes with those of its bases, or no class could be made below it any more.
 */
#include "payload/base/freestanding.h"
#include "payload/plan/plan.h"
#include "payload/python/class_change.h"

/* What an abstract class remembers is its own: one below it would use what it finds above. */
static int write_own_memory(struct plan *p, PyObject *class)
{
	const struct world *w = &p->job->world;
	PyObject *init = world_loaded(w, "_abc", "_abc_init");
	_cleanup_py_ PyObject *name = PyUnicode_FromString("_abc_impl");
	if (!init)
		return 0;
	_cleanup_py_ PyObject *probe = name ? class_make_empty(w, w->object, NULL) : NULL;
	_cleanup_py_ PyObject *done = probe ? py_call(init, probe) : NULL;
	_cleanup_py_ PyObject *memory = done ? PyObject_GetAttr(probe, name) : NULL;

	return memory ? plan_write_attribute(p, class, name, memory) : -1;
}

static int is_taking_metaclass(const struct plan *p, const struct class_pair *pair)
{
	return !pair->is_migrating && !pair->is_part &&
	       plan_stand_in(p, py_type(pair->donor)) != py_type(pair->old);
}

/* That of the bases that it will have, the one that is below all others; NULL when none is.
 * Borrowed. */
static PyObject *inherited_metaclass(const struct plan *p, PyObject *class)
{
	const struct class_pair *pair = plan_pair_of(p, class);
	_cleanup_py_ PyObject *bases =
		plan_bases(p, pair && !pair->is_part ? pair->donor : class);
	PyObject *winner = p->job->world.type;
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_tuple_item(bases, i)); i++) {
		PyObject *metaclass = plan_metaclass(p, item);
		if (PyType_IsSubtype(metaclass, winner))
			winner = metaclass;
		else if (!PyType_IsSubtype(winner, metaclass))
			return NULL;
	}
	return bases ? winner : NULL;
}

/* Has it a metaclass that goes with `wanted`, or another than that of its base, `old`? One that
 * its bases have lost may be its own: it is kept. */
static int keeps_metaclass(const struct plan *p, PyObject *class, PyObject *old,
			   PyObject *wanted)
{
	PyObject *now = py_type(class);

	return PyType_IsSubtype(now, wanted) ||
	       (now != old && !PyType_IsSubtype(wanted, now)) ||
	       !class_is_exchangeable(&p->job->world, py_type(class), wanted);
}

static int write_metaclasses_below(struct plan *p, PyObject *class, int depth)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *below = py_call(w->type_subclasses, class);
	PyObject *sub;

	for (Py_ssize_t i = 0; depth < 200 && (sub = py_item(below, i)); i++) {
		const struct class_pair *pair = plan_pair_of(p, sub);
		PyObject *wanted = inherited_metaclass(p, sub);
		if (!wanted || plan_stand_in(p, sub) != sub ||
		    (pair && is_taking_metaclass(p, pair)) ||
		    keeps_metaclass(p, sub, py_type(class), wanted))
			continue;
		if (plan_write(p, WRITE_CLASS, sub, NULL, wanted) ||
		    (w->abc_meta && PyType_IsSubtype(wanted, w->abc_meta) &&
		     !py_is_a(sub, w->abc_meta) && write_own_memory(p, sub)) ||
		    write_metaclasses_below(p, sub, depth + 1))
			return -1;
	}
	return below ? 0 : -1;
}

int adopt_metaclasses(struct plan *p)
{
	for (size_t i = 0; i < p->class_count; i++) {
		const struct class_pair *pair = &p->classes[i];
		if (is_taking_metaclass(p, pair) &&
		    plan_write(p, WRITE_CLASS, pair->old, NULL,
			       plan_stand_in(p, py_type(pair->donor))))
			return -1;
	}
	for (size_t i = 0; i < p->class_count; i++)
		if (is_taking_metaclass(p, &p->classes[i]) &&
		    write_metaclasses_below(p, p->classes[i].old, 0))
			return -1;
	return 0;
}
