/* SPDX-License-Identifier: MIT
 *
 * One write: bringing a value into place, and finding what is there. The invariant: neither
 * runs code of the program, unless writes.h says so of the kind.
 */
#include "payload/base/freestanding.h"
#include "payload/heap/twin_dict.h"
#include "payload/plan/writes.h"
#include "payload/python/class_change.h"
#include "payload/python/code.h"

static int done(PyObject *result)
{
	Py_DecRef(result);
	return result ? 0 : -1;
}

/* The setter of __code__ tells audit hooks, and 3.13 warns when a function becomes a generator:
 * either runs code of the program. 1: it must not be used. */
static int is_setter_loud(const struct world *w, PyObject *function, PyObject *code)
{
	return w->has_audit_hook || code_kind(PyFunction_GetCode(function)) != code_kind(code);
}

/* The word that holds the code, when there is exactly one such; NULL when not. What word_find()
 * asks the collector for on top of that, it tells audit hooks. */
static char *find_code(const struct world *w, PyObject *function)
{
	long size = world_type_number(w->function, "__basicsize__");
	PyObject *code = PyFunction_GetCode(function);
	char *found = NULL;

	for (long at = 0; at + (long)sizeof(code) <= size; at += (long)sizeof(code)) {
		if (memcmp((char *)function + at, &code, sizeof(code)))
			continue;
		if (found)
			return NULL;
		found = (char *)function + at;
	}
	return found;
}

/* The write keeps the old code alive. The setter of the defaults makes specialised calls look
 * anew, as that of the code does: both reset func_version (Objects/funcobject.c, 3.11 to 3.13).
 */
static int put_code(const struct world *w, PyObject *function, PyObject *code)
{
	char *at = is_setter_loud(w, function, code) ? find_code(w, function) : NULL;

	if (!at)
		return PyObject_SetAttrString(function, "__code__", code);
	PyObject *defaults = PyFunction_GetDefaults(function);
	Py_DecRef(PyFunction_GetCode(function));
	Py_IncRef(code);
	memcpy(at, &code, sizeof(code));
	return PyFunction_SetDefaults(function, defaults ? defaults : w->none);
}

/* The setter of __code__ wants as many cells as the code has free variables: closure first
 * (PyFunction_SetClosure does not check). Objects/funcobject.c, func_set_code. */
static int set_code(const struct world *w, PyObject *function, PyObject *code_and_closure)
{
	PyObject *closure = py_second(code_and_closure);
	_cleanup_py_ PyObject *old = py_ref(PyFunction_GetClosure(function));

	if (PyFunction_SetClosure(function, closure))
		return -1;
	if (!put_code(w, function, py_first(code_and_closure)))
		return 0;
	PyFunction_SetClosure(function, old ? old : w->none);
	return -1;
}

/* A deque has methods alone, written in C; a subclass may have others. */
static int set_list(const struct world *w, PyObject *list, PyObject *value)
{
	if (py_is_a(list, w->list))
		return PyList_SetSlice(list, 0, PyList_Size(list), value);
	PyObject *deque = world_deque(w);
	if (done(PyObject_CallMethod(deque, "clear", "O", list)))
		return -1;
	return done(PyObject_CallMethod(deque, "extend", "OO", list, value));
}

/* An OrderedDict keeps a list of its keys beside the dict that it is; functions for dicts pass
 * it by (Objects/odictobject.c). Enums had them for maps up to 3.7. */
static int set_ordered_content(PyObject *dict, PyObject *content)
{
	_cleanup_py_ PyObject *keys = PyDict_Keys(dict);
	PyObject *key, *value;
	Py_ssize_t at = 0;
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(keys, i)); i++)
		if (PyODict_DelItem(dict, item))
			return -1;
	while (keys && PyDict_Next(content, &at, &key, &value))
		if (PyODict_SetItem(dict, key, value))
			return -1;
	return keys ? 0 : -1;
}

static int set_content(const struct world *w, PyObject *dict, PyObject *content)
{
	if (py_is_a(dict, w->ordered_dict))
		return set_ordered_content(dict, content);
	PyDict_Clear(dict);
	return PyDict_Update(dict, content);
}

/* From a set to an empty one goes without hashing and comparing (Objects/setobject.c,
 * set_merge). */
static int set_elements(const struct world *w, PyObject *set, PyObject *content)
{
	return PySet_Clear(set) ? -1 : done(py_call(w->set_update, set, content));
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

/* The plan keeps the old object alive, which the frame may only borrow. */
static int set_in_frame(const struct write *write, PyObject *old, PyObject *value)
{
	size_t inside = write->offset & (WRITE_FRAME_OWNS - 1);
	char *frame;
	PyObject *found;

	memcpy(&frame, (char *)write->object + (write->offset >> WRITE_FRAME_SHIFT),
	       sizeof(frame));
	memcpy(&found, frame + inside, sizeof(found));
	if (found != old)
		return -1;
	memcpy(frame + inside, &value, sizeof(value));
	if (write->offset & WRITE_FRAME_OWNS) {
		Py_IncRef(value);
		Py_DecRef(old);
	}
	return 0;
}

/* No setter: func_globals is read-only in all versions. */
static int set_globals(const struct write *write, PyObject *globals)
{
	PyObject *old = PyFunction_GetGlobals(write->object);

	return old == globals ? 0 : set_word(write->object, write->offset, old, globals);
}

/* object.__setattr__ is told to audit hooks, takes `type` for no class to leave, and up to 3.11
 * does not expect weak references behind slots (Objects/typeobject.c, same_slots_added). */
static int set_class(const struct world *w, PyObject *o, PyObject *class, int is_exchangeable)
{
	if (!is_exchangeable)
		return done(py_call(w->set_class, o, class));
	class_put_type(o, class);
	if (world_is_class(o))
		PyType_Modified(o);
	return 0;
}

/* Who has moved already stays; in the middle of a failure, going back, some have not. */
static int move_all(const struct world *w, PyObject *objects, PyObject *from, PyObject *to)
{
	int is_exchangeable = class_is_exchangeable(w, from, to);
	PyObject *o;

	for (Py_ssize_t i = 0; (o = py_item(objects, i)); i++) {
		if (py_type(o) != to &&
		    (py_type(o) != from || set_class(w, o, to, is_exchangeable)))
			return -1;
	}
	return 0;
}

static int set_bases(const struct world *w, PyObject *class, PyObject *bases)
{
	if (class_set_bases(w, class, bases))
		return -1;
	class_settle_new(w, class);
	return 0;
}

static int set_or_delete_type(const struct world *w, const struct write *write, PyObject *value)
{
	if (class_put(w, write->object, write->key, value))
		return -1;
	if (!value && !PyUnicode_CompareWithASCIIString(write->key, "__new__"))
		class_settle_new(w, write->object);
	return 0;
}

static int set_in_namespace(const struct write *write, PyObject *value)
{
	int status = value ? PyDict_SetItem(write->space, write->key, value)
			   : PyDict_DelItem(write->space, write->key);

	PyType_Modified(write->object);
	return status;
}

static int set_or_delete_item(const struct write *write, PyObject *value)
{
	if (value)
		return PyDict_SetItem(write->object, write->key, value);
	return PyDict_DelItem(write->object, write->key);
}

/* A cache that nobody has asked for need not be dropped. */
static int is_gone_already(const struct world *w, const struct write *write, PyObject *value)
{
	if (value || (write->kind != WRITE_ITEM && write->kind != WRITE_TYPE))
		return 0;
	_cleanup_py_ PyObject *there = write_current(w, write);
	return !there && !PyErr_Occurred();
}

int write_put(const struct world *w, const struct write *write, PyObject *value, int is_undo)
{
	PyObject *value_or_none = value ? value : w->none;
	PyObject *from = is_undo ? write->value : write->key;
	PyObject *to = is_undo ? write->key : write->value;

	if (is_gone_already(w, write, value))
		return 0;
	switch (write->kind) {
	case WRITE_ITEM:
		return set_or_delete_item(write, value);
	case WRITE_CONTENT:
		return set_content(w, write->object, value);
	case WRITE_TWIN:
		return twin_dict_swap(w, write->object, write->value);
	case WRITE_TYPE:
		return set_or_delete_type(w, write, value);
	case WRITE_BASES:
		return set_bases(w, write->object, value);
	case WRITE_CODE:
		return set_code(w, write->object, value);
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
	case WRITE_INSTANCES:
		return move_all(w, write->key, is_undo ? write->value : write->object,
				is_undo ? write->object : write->value);
	case WRITE_CLASS:
		return set_class(w, write->object, value,
				 class_is_exchangeable(w, py_type(write->object), value));
	case WRITE_LIST:
		return set_list(w, write->object, value);
	case WRITE_SET:
		return set_elements(w, write->object, value);
	case WRITE_NAMESPACE:
		return set_in_namespace(write, value);
	case WRITE_GLOBALS:
		return set_globals(write, value);
	case WRITE_WORD:
		return set_word(write->object, write->offset, from, to);
	case WRITE_FRAME:
		return set_in_frame(write, from, to);
	}
	return -1;
}

PyObject *write_current(const struct world *w, const struct write *write)
{
	PyObject *o = write->object;
	PyObject *closure;

	switch (write->kind) {
	case WRITE_ITEM:
		return py_ref(PyDict_GetItem(o, write->key));
	case WRITE_CONTENT:
		return PyDict_Copy(o);
	case WRITE_TYPE:
	case WRITE_NAMESPACE: {
		_cleanup_py_ PyObject *dict = world_type_dict(w, o);
		return dict ? py_ref(PyDict_GetItem(dict, write->key)) : NULL;
	}
	case WRITE_BASES:
		return PyObject_GetAttrString(o, "__bases__");
	case WRITE_CODE:
		closure = PyFunction_GetClosure(o);
		return py_pair(PyFunction_GetCode(o), closure ? closure : w->none);
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
	case WRITE_GLOBALS:
		return py_ref(PyFunction_GetGlobals(o));
	case WRITE_LIST:
		return world_list_items(w, o);
	case WRITE_SET:
		return PySet_New(o);
	case WRITE_TWIN:
	case WRITE_WORD:
	case WRITE_INSTANCES:
	case WRITE_FRAME:
		return NULL;
	}
	return NULL;
}
