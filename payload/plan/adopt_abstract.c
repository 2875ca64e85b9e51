/* SPDX-License-Identifier: MIT
 *
 * Abstract methods. ABCMeta works them out when it makes a class; a class that is changed in
 * place, and every class below it, gets them worked out anew from what will be there after the
 * commit, by the same rule (Lib/_py_abc.py, ABCMeta.__new__): a name is abstract when an ABC
 * of the ancestry says so and the first definition in the ancestry is.
 */
#include "payload/base/freestanding.h"
#include "payload/job/walk.h"
#include "payload/plan/plan.h"

/* A class's namespace as it will be; new reference. */
static PyObject *names_after(const struct plan *p, PyObject *class)
{
	_cleanup_py_ PyObject *names = world_type_dict(&p->job->world, class);

	for (size_t i = 0; names && i < p->writes.count; i++) {
		const struct write *write = &p->writes.items[i];
		if ((write->kind != WRITE_TYPE && write->kind != WRITE_NAMESPACE) ||
		    write->object != class)
			continue;
		if (write->value ? PyDict_SetItem(names, write->key, write->value)
				 : PyDict_DelItem(names, write->key))
			PyErr_Clear();
	}
	return py_take(&names);
}

/* Will it be an abstract class? */
static int is_abc(const struct plan *p, PyObject *class)
{
	return p->job->world.abc_meta &&
	       PyType_IsSubtype(plan_metaclass(p, class), p->job->world.abc_meta);
}

/* What the function will carry: its donor's mark when it has one. */
static int is_marked(const struct plan *p, PyObject *function)
{
	PyObject *donor = pointer_map_get(&p->adopted, function);
	_cleanup_py_ PyObject *mark = world_own_item(&p->job->world, donor ? donor : function,
						     "__isabstractmethod__");

	return py_is(mark, p->job->world.boolean) && PyObject_IsTrue(mark) == 1;
}

static int is_abstract(const struct plan *p, PyObject *value, int depth)
{
	if (world_is_function(value))
		return is_marked(p, value);
	_cleanup_py_ PyObject *inside = depth < 4 ? walk_inside(&p->job->world, value) : NULL;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(inside, i)); i++)
		if (is_abstract(p, item, depth + 1))
			return 1;
	PyErr_Clear();
	return 0;
}

/* The namespaces of the ancestry, nearest first, as they will be. */
static PyObject *ancestry(const struct plan *p, PyObject *class)
{
	_cleanup_py_ PyObject *mro = world_mro(class);
	_cleanup_py_ PyObject *out = PyList_New(0);
	PyObject *base;

	for (Py_ssize_t i = 0; out && (base = py_tuple_item(mro, i)); i++) {
		_cleanup_py_ PyObject *names = names_after(p, plan_stand_in(p, base));
		_cleanup_py_ PyObject *pair = py_pair(base, names);
		if (py_append(out, pair))
			return NULL;
	}
	return mro ? py_take(&out) : NULL;
}

static PyObject *first_definition(PyObject *ancestry, PyObject *name)
{
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(ancestry, i)); i++) {
		PyObject *names = py_second(item);
		PyObject *value = PyDict_GetItem(names, name);
		if (value)
			return value;
	}
	return NULL;
}

static PyObject *abstract_names(const struct plan *p, PyObject *ancestry)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *out = PySet_New(NULL);
	PyObject *pair;

	for (Py_ssize_t i = 0; out && (pair = py_item(ancestry, i)); i++) {
		PyObject *name, *value;
		Py_ssize_t at = 0;
		if (!is_abc(p, py_first(pair)))
			continue;
		while (PyDict_Next(py_second(pair), &at, &name, &value))
			if (world_is_str(name) && is_abstract(p, value, 0) &&
			    is_abstract(p, first_definition(ancestry, name), 0) &&
			    PySet_Add(out, name))
				return NULL;
	}
	return out ? py_call(w->frozenset, out) : NULL;
}

/* The donor of a class made as a whole has the ancestry that the kept class will have. */
static PyObject *ancestry_source(const struct plan *p, PyObject *class)
{
	const struct class_pair *pair = plan_pair_of(p, class);

	return pair && !pair->is_part ? pair->donor : class;
}

static PyObject *wanted_names(const struct plan *p, PyObject *class)
{
	_cleanup_py_ PyObject *all = ancestry(p, ancestry_source(p, class));

	return all ? abstract_names(p, all) : NULL;
}

/* One that is no abstract class any more has no such names. */
static int settle_class(struct plan *p, PyObject *class)
{
	const int is_one = is_abc(p, class);
	_cleanup_py_ PyObject *wanted = is_one ? wanted_names(p, class) : NULL;
	_cleanup_py_ PyObject *names = names_after(p, class);
	_cleanup_py_ PyObject *key = PyUnicode_FromString("__abstractmethods__");
	PyObject *now = py_get(names, key);

	if (!names || !key || (is_one && !wanted))
		return -1;
	if (now == wanted || (now && wanted && py_equal(now, wanted)))
		return 0;
	return plan_write(p, WRITE_TYPE, class, key, wanted);
}

static int settle_below(struct plan *p, struct pointer_map *seen, PyObject *class, int depth)
{
	const struct world *w = &p->job->world;

	if ((!is_abc(p, class) && !py_is_a(class, w->abc_meta)) ||
	    pointer_map_get(seen, class) || depth > 200 || plan_stand_in(p, class) != class)
		return 0;
	_cleanup_py_ PyObject *below = py_call(w->type_subclasses, class);
	/* It remembers what it answered to isinstance(). */
	if (!below || pointer_map_set(seen, class, class) || settle_class(p, class) ||
	    PyList_Append(p->caches, class))
		return -1;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(below, i)); i++)
		if (settle_below(p, seen, item, depth + 1))
			return -1;
	return 0;
}

int adopt_abstract(struct plan *p)
{
	struct pointer_map seen = {0};
	int status = 0;

	for (size_t i = 0; !status && i < p->class_count; i++)
		status = settle_below(p, &seen,
				      p->classes[i].is_migrating ? p->classes[i].donor
								 : p->classes[i].old,
				      0);
	pointer_map_fini(&seen);
	return status;
}
