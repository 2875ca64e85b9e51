/* SPDX-License-Identifier: MIT
 *
 * Annotations that are computed when somebody asks (PEP 649, 3.14): by a function __annotate__
 * of the function, class or module, with a cache of what it returned. The functions are adopted
 * like any other; here is what else belongs to them: the caches.
 *
 * The invariant: nobody's annotations are computed, for that would run code of the program.
 */
#include "payload/plan/annotations.h"

#include "payload/base/freestanding.h"
#include "payload/diff/executed_annotations.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"

int annotations_is_hidden(PyObject *name)
{
	return compare_is_name(name,
			       "__annotate__ __annotations__ __doc__ " EXECUTED_ANNOTATIONS);
}

/* The function, or NULL without exception: before 3.14, and where nothing is annotated. */
static PyObject *annotate_of(const struct world *w, PyObject *function)
{
	PyObject *found =
		w->opcodes.minor >= 14 ? py_attribute(function, "__annotate__") : NULL;

	if (found != w->none)
		return found;
	Py_DecRef(found);
	return NULL;
}

static int is_same_function(const struct world *w, PyObject *a, PyObject *b)
{
	return world_is_function(a) && world_is_function(b) &&
	       code_is_same(w, PyFunction_GetCode(a), PyFunction_GetCode(b)) == 1;
}

int annotations_merge(struct plan *p, const struct module *m, PyObject *old, PyObject *new)
{
	_cleanup_py_ PyObject *a = annotate_of(&p->job->world, old);
	_cleanup_py_ PyObject *b = annotate_of(&p->job->world, new);
	_cleanup_py_ PyObject *merged = a && b ? merge_value(p, m, a, b) : NULL;

	return a && b && !merged ? -1 : 0;
}

static int write_values(struct plan *p, PyObject *function, PyObject *value)
{
	return plan_write(p, WRITE_ANNOTATIONS, function, NULL, value);
}

static int write_annotate(struct plan *p, PyObject *function, PyObject *value)
{
	_cleanup_py_ PyObject *name = PyUnicode_FromString("__annotate__");

	return name ? plan_write(p, WRITE_ATTRIBUTE, function, name, value) : -1;
}

/* PyFunction_GetAnnotations computes what is not there yet: it is called only where there is
 * nothing to compute it with. Either setter drops what the other one set
 * (Objects/funcobject.c, func_set_annotations and func_set_annotate), which is why what is
 * there is first taken away by its own: so it comes back when the writes are undone. */
int annotations_adopt(struct plan *p, PyObject *old, PyObject *donor)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *a = annotate_of(w, old), *b = annotate_of(w, donor);

	if (!a && !b)
		return PyFunction_GetAnnotations(old) != PyFunction_GetAnnotations(donor)
			       ? write_values(p, old, PyFunction_GetAnnotations(donor))
			       : 0;
	if (!b)
		return write_annotate(p, old, w->none) ||
				       write_values(p, old, PyFunction_GetAnnotations(donor))
			       ? -1
			       : 0;
	if (!a)
		return (PyFunction_GetAnnotations(old) && write_values(p, old, NULL)) ||
				       write_annotate(p, old, plan_stand_in(p, b))
			       ? -1
			       : 0;
	if (is_same_function(w, a, b) && plan_stand_in(p, b) == a)
		return 0;
	return write_annotate(p, old, plan_stand_in(p, b));
}

int annotations_adopt_copied(struct plan *p, PyObject *wrapper, PyObject *old, PyObject *donor)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *a = annotate_of(w, wrapper), *b = annotate_of(w, old);

	if (a != b ||
	    (!a && PyFunction_GetAnnotations(wrapper) != PyFunction_GetAnnotations(old)))
		return 0;
	return annotations_adopt(p, wrapper, donor);
}

/* --- caches of classes and modules ------------------------------------------------------- */

static PyObject *item(PyObject *dict, const char *name)
{
	return dict ? PyDict_GetItemString(dict, name) : NULL;
}

static PyObject *donor_of(const struct plan *p, PyObject *function)
{
	PyObject *donor = function ? pointer_map_get(&p->adopted, function) : NULL;

	return donor ? donor : function;
}

/* Also where there is no cache yet: there may be one when this is taken back. `old` is what
 * computed the cache, `wanted` what will be in its place: the same function when
 * that one only takes a new definition. */
static int drop_cache(struct plan *p, enum write_kind kind, PyObject *owner, const char *cache,
		      PyObject *const functions[2])
{
	const struct world *w = &p->job->world;

	if (functions[0] == functions[1] && donor_of(p, functions[0]) == functions[0])
		return 0;
	if (is_same_function(w, functions[0], donor_of(p, functions[1])))
		return 0;
	_cleanup_py_ PyObject *name = PyUnicode_FromString(cache);
	return name ? plan_write(p, kind, owner, name, NULL) : -1;
}

static int is_computed_as_before(const struct plan *p, PyObject *function)
{
	const struct world *w = &p->job->world;
	PyObject *code = world_is_function(function) ? PyFunction_GetCode(function) : NULL;
	PyObject *next = code ? code_next(p->codes, code) : NULL;

	return next && code_is_same(w, code, next) == 1;
}

int annotations_drop_of_class(struct plan *p, PyObject *class, PyObject *current,
			      PyObject *binds)
{
	static const char function[] = "__annotate_func__", cache[] = "__annotations_cache__";

	if (p->job->world.opcodes.minor < 14 ||
	    (!binds && is_computed_as_before(p, item(current, function))))
		return 0;
	return drop_cache(p, WRITE_TYPE, class, cache,
			  (PyObject *const[]){item(current, function), item(binds, function)});
}

int annotations_drop_of_module(struct plan *p, const struct module *m)
{
	static const char function[] = "__annotate__", cache[] = "__annotations__";
	const struct world *w = &p->job->world;
	PyObject *executed = item(m->binds, EXECUTED_ANNOTATIONS);

	if (w->opcodes.minor < 14 || (!item(m->live, function) && !item(m->binds, function)))
		return 0;
	if (executed == item(m->live, EXECUTED_ANNOTATIONS))
		return drop_cache(
			p, WRITE_ITEM, m->live, cache,
			(PyObject *const[]){item(m->live, function), item(m->binds, function)});
	_cleanup_py_ PyObject *name = PyUnicode_FromString(cache);
	return name ? plan_write(p, WRITE_ITEM, m->live, name, NULL) : -1;
}
