/* SPDX-License-Identifier: MIT
 *
 * The rollback record. The invariant: what was replaced is held, because nothing else may hold
 * it; what was written to, and what was written, is held weakly where it can be: a function, a
 * class, a module's namespace by its module. Dicts, lists, tuples and numbers know no weak
 * references and are held.
 *
 * Not recorded: references to classes that were replaced, and their instances. There may be a
 * million, and more may come: the way back finds them as the way there did.
 */
#include "payload/record/record.h"

#include "payload/heap/word.h"
#include "payload/python/code.h"

enum hold { HOLD_STRONG, HOLD_WEAK, HOLD_NAMESPACE };
enum entry_flags { HAD_OLD = 1, HAD_NEW = 2, HAS_CELLS = 4, IS_FOREIGN = 8 };
enum entry_field { KIND, FLAGS, OBJECT, KEY, OLD, NEW, FIELD_COUNT };

static PyObject *hold(PyObject *o, PyObject *module)
{
	_cleanup_py_ PyObject *weak = PyWeakref_NewRef(module ? module : o, NULL);
	enum hold how = !weak ? HOLD_STRONG : module ? HOLD_NAMESPACE : HOLD_WEAK;

	PyErr_Clear();
	return Py_BuildValue("(iO)", (int)how, weak ? weak : o);
}

PyObject *record_hold(PyObject *o)
{
	return hold(o, NULL);
}

PyObject *record_held(const struct world *w, PyObject *holder)
{
	PyObject *how = py_first(holder), *thing = py_second(holder);

	if (!how || !thing)
		return NULL;
	if (PyLong_AsLong(how) == HOLD_STRONG)
		return py_ref(thing);
	_cleanup_py_ PyObject *object = py_call(thing);
	if (!object || object == w->none)
		return NULL;
	if (PyLong_AsLong(how) == HOLD_NAMESPACE)
		return py_ref(PyModule_GetDict(object));
	return py_take(&object);
}

/* --- from writes to the record ----------------------------------------------------------- */

static int note_namespaces(struct pointer_map *out, const struct world *w)
{
	_cleanup_py_ PyObject *modules = PyDict_Values(w->modules);
	PyObject *module;

	for (Py_ssize_t i = 0; (module = py_item(modules, i)); i++) {
		if (world_is_module(module) &&
		    pointer_map_set(out, PyModule_GetDict(module), module))
			return -1;
	}
	return modules ? 0 : -1;
}

/* A closure that only changed its order, or the names that it leaves out, need not be held: the
 * cells are those that the function has. There may be one for each request in flight. */
static int has_same_cells(const struct world *w, const struct write *write)
{
	PyObject *before = py_second(write->old);
	PyObject *after = py_second(write->value);

	if (before == after || before == w->none)
		return 1;
	if (after == w->none || PyTuple_Size(before) != PyTuple_Size(after))
		return 0;
	_cleanup_py_ PyObject *cells = adopt_cells(w, write->object, py_first(write->old));
	PyObject *item;
	for (Py_ssize_t i = 0; cells && (item = py_tuple_item(before, i)); i++)
		if (PyTuple_GetItem(cells, i) != item)
			return 0;
	PyErr_Clear();
	return cells != NULL;
}

/* A decorator that came or went gave the function the code of another: where that runs
 * elsewhere, it does not lead back to this one's. */
static int is_foreign(const struct plan *p, const struct write *write)
{
	PyObject *next = code_next(p->codes, py_first(write->old));

	return !next || PyObject_RichCompareBool(next, py_first(write->value), PY_EQ) != 1;
}

static PyObject *make_entry(const struct plan *p, const struct write *write, PyObject *module)
{
	const struct world *w = &p->job->world;
	PyObject *old = write->old, *new = write->value;
	int flags = (old ? HAD_OLD : 0) | (new ? HAD_NEW : 0);

	if (write->kind == WRITE_CODE && is_foreign(p, write))
		flags |= IS_FOREIGN;
	if (write->kind == WRITE_CODE && has_same_cells(w, write)) {
		flags |= HAS_CELLS;
		old = py_first(old);
		new = py_first(new);
	}
	_cleanup_py_ PyObject *object = hold(write->object, module);
	/* A code would be gone once a rollback has put an equal one, of another compilation, in
	 * its place. */
	_cleanup_py_ PyObject *came = write->kind == WRITE_CODE
					      ? Py_BuildValue("(iO)", (int)HOLD_STRONG, new)
					      : hold(new ? new : w->none, NULL);
	if (!object || !came)
		return NULL;
	return Py_BuildValue("(iiOOOO)", (int)write->kind, flags, object,
			     write->key ? write->key : w->none, old ? old : w->none, came);
}

/* Most often it is that of a module that changed, and there may be thousands of others. *out is
 * NULL for what is no namespace. */
static int find_module(PyObject **out, const struct plan *p, struct pointer_map *namespaces,
		       PyObject *o)
{
	const struct module *changed = modules_find(&p->job->modules, o);

	*out = changed ? changed->object : NULL;
	if (*out || !py_is_a(o, p->job->world.dict))
		return 0;
	if (!namespaces->count && note_namespaces(namespaces, &p->job->world))
		return -1;
	*out = pointer_map_get(namespaces, o);
	return 0;
}

PyObject *record_make(const struct plan *p)
{
	struct pointer_map namespaces = {0};
	_cleanup_py_ PyObject *record = PyList_New(0);
	int status = record ? 0 : -1;

	for (size_t i = 0; !status && i < p->writes.count; i++) {
		const struct write *write = &p->writes.items[i];
		if (!write->is_done || !write->is_kept)
			continue;
		PyObject *module;
		if (find_module(&module, p, &namespaces, write->object)) {
			status = -1;
			break;
		}
		_cleanup_py_ PyObject *entry = make_entry(p, write, module);
		status = py_append(record, entry);
	}
	pointer_map_fini(&namespaces);
	return status ? NULL : py_take(&record);
}

/* --- and back ---------------------------------------------------------------------------- */

/* Only the code was recorded: the cells are those that the function has. */
static int add_cells(const struct world *w, PyObject *function, PyObject **old, PyObject **new)
{
	PyObject *closure = PyFunction_GetClosure(function);
	_cleanup_py_ PyObject *cells = adopt_cells(w, function, *old);

	if (!cells && PyErr_Occurred())
		return -1;
	_cleanup_py_ PyObject *before = py_pair(*old, cells ? cells : w->none);
	_cleanup_py_ PyObject *after = *new ? py_pair(*new, closure ? closure : w->none) : NULL;
	if (!before || (*new && !after))
		return -1;
	Py_DecRef(*old);
	Py_DecRef(*new);
	*old = py_take(&before);
	*new = cells ? py_take(&after) : NULL;
	return 0;
}

static int invert(struct writes *out, const struct world *w, PyObject *entry)
{
	long kind = py_number(entry, KIND);
	long flags = py_number(entry, FLAGS);
	PyObject *key = PyTuple_GetItem(entry, KEY);
	_cleanup_py_ PyObject *object = record_held(w, PyTuple_GetItem(entry, OBJECT));
	_cleanup_py_ PyObject *old =
		flags & HAD_OLD ? py_ref(PyTuple_GetItem(entry, OLD)) : NULL;
	_cleanup_py_ PyObject *new =
		flags &HAD_NEW ? record_held(w, PyTuple_GetItem(entry, NEW)) : NULL;

	if (!object || PyErr_Occurred())
		return PyErr_Occurred() ? -1 : 0;
	if (flags & HAS_CELLS && add_cells(w, object, &old, &new))
		return -1;
	size_t offset = 0;
	if (kind == WRITE_GLOBALS && word_find_globals(w, object, &offset))
		return -1;
	struct write *write = writes_add(out, (enum write_kind)kind, object,
					 key == w->none ? NULL : key, old);
	if (!write)
		return -1;
	write->offset = offset;
	write->is_guarded = write->is_kept = 1;
	/* What is gone cannot be what is there: the entry itself never is either. */
	write->expected = py_ref(flags & HAD_NEW && !new ? entry : new);
	return 0;
}

int record_invert(struct writes *out, const struct world *w, PyObject *record)
{
	for (Py_ssize_t i = PyList_Size(record); i-- > 0;) {
		PyObject *entry = PyList_GetItem(record, i);
		if (!world_is_tuple(entry) || PyTuple_Size(entry) != FIELD_COUNT) {
			PyErr_SetString(w->error, "the record of the attach is damaged");
			return -1;
		}
		if (invert(out, w, entry))
			return -1;
	}
	return 0;
}

/* With a closure that was held, the code is its first. */
static PyObject *code_of(PyObject *value)
{
	if (world_is_tuple(value))
		value = py_first(value);
	return world_is_code(value) ? value : NULL;
}

PyObject *record_codes(const struct world *w, PyObject *record)
{
	_cleanup_py_ PyObject *out = PyList_New(0);
	PyObject *entry;

	for (Py_ssize_t i = 0; out && (entry = py_item(record, i)); i++) {
		if (py_number(entry, KIND) != WRITE_CODE ||
		    py_number(entry, FLAGS) & IS_FOREIGN)
			continue;
		_cleanup_py_ PyObject *came = record_held(w, PyTuple_GetItem(entry, NEW));
		PyObject *old = code_of(PyTuple_GetItem(entry, OLD));
		PyObject *new = code_of(came);
		_cleanup_py_ PyObject *pair = py_pair(old, new);
		if (PyErr_Occurred() || (pair && PyList_Append(out, pair)))
			return NULL;
	}
	return py_take(&out);
}

/* Values that the commit itself put together are ours, too. */
static int visit_entry(PyObject *entry, int (*visit)(void *, PyObject *), void *context)
{
	PyObject *kind = PyTuple_GetItem(entry, KIND), *holder = PyTuple_GetItem(entry, NEW);
	PyObject *old = PyTuple_GetItem(entry, OLD);
	PyObject *new = holder ? py_second(holder) : NULL;
	long number = kind ? PyLong_AsLong(kind) : -1;

	if (!old || !new)
		return -1;
	if ((number == WRITE_BASES || number == WRITE_CONTENT || number == WRITE_LIST) &&
	    (visit(context, old) || visit(context, new)))
		return -1;
	return visit(context, entry) || visit(context, holder) ? -1 : 0;
}

int record_visit(PyObject *record, int (*visit)(void *context, PyObject *o), void *context)
{
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(record, i)); i++)
		if (visit_entry(item, visit, context))
			return -1;
	return visit(context, record);
}
