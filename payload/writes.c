/* SPDX-License-Identifier: MIT
 *
 * Doing and undoing writes. The invariant: nothing in here lets go of the last reference to an
 * object of the program (the write keeps the old value), so no finaliser runs before
 * writes_fini.
 */
#include "payload/writes.h"

#include "payload/freestanding.h"

void writes_fini(struct writes *writes)
{
	struct writes dying = *writes;

	*writes = (struct writes){0};
	for (size_t i = 0; i < dying.count; i++) {
		Py_DecRef(dying.items[i].object);
		Py_DecRef(dying.items[i].key);
		Py_DecRef(dying.items[i].value);
		Py_DecRef(dying.items[i].old);
	}
	PyMem_Free(dying.items);
}

struct write *writes_add(struct writes *writes, enum write_kind kind, PyObject *object,
			 PyObject *key, PyObject *value)
{
	if (writes->count == writes->capacity) {
		size_t capacity = writes->capacity ? writes->capacity * 2 : 64;
		struct write *items =
			PyMem_Realloc(writes->items, capacity * sizeof(*writes->items));
		if (!items) {
			PyErr_NoMemory();
			return NULL;
		}
		writes->items = items;
		writes->capacity = capacity;
	}
	struct write *write = &writes->items[writes->count++];
	*write = (struct write){
		.kind = kind,
		.object = py_ref(object),
		.key = py_ref(key),
		.value = py_ref(value),
	};
	return write;
}

static int done(PyObject *result)
{
	Py_DecRef(result);
	return result ? 0 : -1;
}

/* The setter of __code__ wants as many cells as the code has free variables: closure first
 * (PyFunction_SetClosure does not check). Objects/funcobject.c, func_set_code. */
static int set_code(PyObject *function, PyObject *code_and_closure)
{
	PyObject *closure = PyTuple_GetItem(code_and_closure, 1);
	_cleanup_py_ PyObject *old = py_ref(PyFunction_GetClosure(function));

	if (PyFunction_SetClosure(function, closure))
		return -1;
	if (!PyObject_SetAttrString(function, "__code__", PyTuple_GetItem(code_and_closure, 0)))
		return 0;
	if (old) {
		PyFunction_SetClosure(function, old);
	} else {
		_cleanup_py_ PyObject *none = Py_BuildValue("");
		PyFunction_SetClosure(function, none);
	}
	return -1;
}

static int set_content(PyObject *dict, PyObject *content)
{
	PyDict_Clear(dict);
	return PyDict_Update(dict, content);
}

static int swap_element(PyObject *set, PyObject *gone, PyObject *come)
{
	return (gone && PySet_Discard(set, gone) < 0) || (come && PySet_Add(set, come)) ? -1
											: 0;
}

static int swap_key(PyObject *dict, PyObject *gone, PyObject *come)
{
	_cleanup_py_ PyObject *value = py_ref(PyDict_GetItem(dict, gone));

	if (!value || PyDict_DelItem(dict, gone))
		return -1;
	return PyDict_SetItem(dict, come, value);
}

/* The planner has proved that the word is a counted reference to the old object. */
static int set_word(PyObject *object, size_t offset, PyObject *old, PyObject *value)
{
	char *at = (char *)object + offset;
	PyObject *found;

	memcpy(&found, at, sizeof(found));
	if (found != old)
		return -1;
	Py_IncRef(value);
	memcpy(at, &value, sizeof(value));
	Py_DecRef(old);
	return 0;
}

static int set_or_delete_type(const struct world *w, const struct write *write, PyObject *value)
{
	if (value)
		return done(py_call(w->type_setattr, write->object, write->key, value));
	return done(py_call(w->type_delattr, write->object, write->key));
}

static int set_or_delete_item(const struct write *write, PyObject *value)
{
	if (value)
		return PyDict_SetItem(write->object, write->key, value);
	return PyDict_DelItem(write->object, write->key);
}

/* Brings `value` (or, when undoing, the old one) into place. */
static int put(const struct world *w, const struct write *write, PyObject *value, int is_undo)
{
	PyObject *value_or_none = value ? value : w->none;
	_cleanup_py_ PyObject *name = NULL;

	switch (write->kind) {
	case WRITE_ITEM:
		return set_or_delete_item(write, value);
	case WRITE_CONTENT:
		return set_content(write->object, value);
	case WRITE_TYPE:
		return set_or_delete_type(w, write, value);
	case WRITE_BASES:
		name = PyUnicode_FromString("__bases__");
		return name ? done(py_call(w->type_setattr, write->object, name, value)) : -1;
	case WRITE_CODE:
		return set_code(write->object, value);
	case WRITE_DEFAULTS:
		return PyFunction_SetDefaults(write->object, value_or_none);
	case WRITE_KWDEFAULTS:
		return PyFunction_SetKwDefaults(write->object, value_or_none);
	case WRITE_ANNOTATIONS:
		return PyFunction_SetAnnotations(write->object, value_or_none);
	case WRITE_ATTRIBUTE:
		return PyObject_SetAttr(write->object, write->key, value_or_none);
	case WRITE_CELL:
		return PyCell_Set(write->object, value);
	case WRITE_CLASS:
		return done(py_call(w->set_class, write->object, value));
	case WRITE_LIST:
		return PyList_SetSlice(write->object, 0, PyList_Size(write->object), value);
	case WRITE_ELEMENT:
		return is_undo ? swap_element(write->object, write->value, write->key)
			       : swap_element(write->object, write->key, write->value);
	case WRITE_KEY:
		return is_undo ? swap_key(write->object, write->value, write->key)
			       : swap_key(write->object, write->key, write->value);
	case WRITE_WORD:
		return is_undo ? set_word(write->object, write->offset, write->value,
					  write->key)
			       : set_word(write->object, write->offset, write->key,
					  write->value);
	}
	return -1;
}

/* What is there now; NULL without an exception for "nothing". */
static PyObject *current(const struct world *w, const struct write *write)
{
	PyObject *o = write->object;
	PyObject *closure;

	switch (write->kind) {
	case WRITE_ITEM:
		return py_ref(PyDict_GetItem(o, write->key));
	case WRITE_CONTENT:
		return PyDict_Copy(o);
	case WRITE_TYPE: {
		_cleanup_py_ PyObject *dict = world_type_dict(w, o);
		return dict ? py_ref(PyDict_GetItem(dict, write->key)) : NULL;
	}
	case WRITE_BASES:
		return PyObject_GetAttrString(o, "__bases__");
	case WRITE_CODE:
		closure = PyFunction_GetClosure(o);
		return PyTuple_Pack(2, PyFunction_GetCode(o), closure ? closure : w->none);
	case WRITE_DEFAULTS:
		return py_ref(PyFunction_GetDefaults(o));
	case WRITE_KWDEFAULTS:
		return py_ref(PyFunction_GetKwDefaults(o));
	case WRITE_ANNOTATIONS:
		return py_ref(PyFunction_GetAnnotations(o));
	case WRITE_ATTRIBUTE:
		return PyObject_GetAttr(o, write->key);
	case WRITE_CELL:
		return PyCell_Get(o);
	case WRITE_CLASS:
		return PyObject_Type(o);
	case WRITE_LIST:
		return PySequence_List(o);
	case WRITE_ELEMENT:
	case WRITE_KEY:
	case WRITE_WORD:
		return NULL;
	}
	return NULL;
}

/* Undoing goes on past a failure: as much as possible is put back. */
static int undo(struct writes *writes, const struct world *w)
{
	PyObject *kind, *value, *traceback;
	int failed = 0;

	PyErr_Fetch(&kind, &value, &traceback);
	for (size_t i = writes->count; i-- > 0;) {
		struct write *write = &writes->items[i];
		if (!write->is_done)
			continue;
		if (put(w, write, write->old, 1)) {
			PyErr_Clear();
			failed = 1;
		}
		write->is_done = 0;
	}
	PyErr_Restore(kind, value, traceback);
	return failed;
}

int writes_commit(struct writes *writes, const struct world *world, int *undo_failed)
{
	*undo_failed = 0;
	for (size_t i = 0; i < writes->count; i++) {
		struct write *write = &writes->items[i];
		write->old = current(world, write);
		if (!PyErr_Occurred() && !put(world, write, write->value, 0)) {
			write->is_done = 1;
			continue;
		}
		if (write->is_optional) {
			PyErr_Clear();
			continue;
		}
		if (!PyErr_Occurred())
			PyErr_SetString(world->error, "an object changed under the commit");
		writes->failed = write;
		*undo_failed = undo(writes, world);
		return -1;
	}
	return 0;
}

PyObject *writes_record(const struct writes *writes, const struct world *world)
{
	_cleanup_py_ PyObject *record = PyList_New(0);

	for (size_t i = 0; record && i < writes->count; i++) {
		const struct write *write = &writes->items[i];
		if (!write->is_done || !write->is_kept)
			continue;
		_cleanup_py_ PyObject *kind = PyLong_FromLong(write->kind);
		PyObject *key = write->key ? write->key : world->none;
		_cleanup_py_ PyObject *entry =
			!kind        ? NULL
			: write->old ? PyTuple_Pack(4, kind, write->object, key, write->old)
				     : PyTuple_Pack(3, kind, write->object, key);
		if (!entry || PyList_Append(record, entry))
			return NULL;
	}
	return py_take(&record);
}
