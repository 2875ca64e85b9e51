/* SPDX-License-Identifier: MIT
 *
 * Numbers for what instructions do: the same number, the same effect, whatever the lines, the
 * file and the order of names and constants in the code object.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/stream.h"
#include "payload/diff/stream_build.h"
#include "payload/python/code.h"

int tokens_init(struct tokens *out, const struct world *world)
{
	*out = (struct tokens){.world = world};
	out->numbers = PyDict_New();
	out->codes = PyDict_New();
	return out->numbers && out->codes ? 0 : -1;
}

void tokens_fini(struct tokens *tokens)
{
	Py_DecRef(tokens->numbers);
	Py_DecRef(tokens->codes);
	*tokens = (struct tokens){0};
}

/* The first code object that does the same as `code`; borrowed. */
static PyObject *representative(struct tokens *t, PyObject *code)
{
	_cleanup_py_ PyObject *name = code_name(code);
	_cleanup_py_ PyObject *added = NULL;
	PyObject *list = py_get(t->codes, name);

	if (name && !list) {
		list = added = PyList_New(0);
		if (py_put(t->codes, name, list))
			return NULL;
	}
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(list, i)); i++) {
		int same = code_is_same(t->world, item, code);
		if (same)
			return same < 0 ? NULL : item;
	}
	return list && !PyList_Append(list, code) ? code : NULL;
}

static PyObject *constant_key(struct tokens *t, PyObject *constant);

static PyObject *sequence_key(struct tokens *t, PyObject *sequence)
{
	_cleanup_py_ PyObject *list = PySequence_List(sequence);
	_cleanup_py_ PyObject *keys = PyList_New(0);
	PyObject *item;

	for (Py_ssize_t i = 0; keys && (item = py_item(list, i)); i++) {
		_cleanup_py_ PyObject *key = constant_key(t, item);
		if (py_append(keys, key))
			return NULL;
	}
	return list && keys ? py_call(py_type(sequence), keys) : NULL;
}

/* 1, 1.0 and True are equal, and so are 0.0 and -0.0, but they are different constants. */
static PyObject *constant_key(struct tokens *t, PyObject *constant)
{
	const struct world *w = t->world;
	_cleanup_py_ PyObject *value = NULL;

	if (world_is_code(constant)) {
		PyObject *known = representative(t, constant);
		value = known ? PyLong_FromLongLong((intptr_t)known) : NULL;
	} else if (world_is_tuple(constant) || py_is(constant, w->frozenset)) {
		value = sequence_key(t, constant);
	} else if (py_is(constant, w->real) || py_is(constant, w->complex)) {
		value = PyObject_Str(constant);
	} else {
		value = py_ref(constant);
	}
	return py_pair(py_type(constant), value);
}

/* From 3.11 on, one numbering for all of a function's variables. */
static PyObject *variable_name(const struct tokens *t, const struct names *names, int kind,
			       int at)
{
	if (t->world->opcodes.minor >= 11)
		return PyObject_CallMethod(names->code, "_varname_from_oparg", "i", at);
	if (kind == OPCODE_LOCAL)
		return py_ref(PyTuple_GetItem(names->locals, at));
	Py_ssize_t cells = PyTuple_Size(names->cells);
	return py_ref(at < cells ? PyTuple_GetItem(names->cells, at)
				 : PyTuple_GetItem(names->frees, at - cells));
}

static PyObject *variables_key(const struct tokens *t, const struct names *names,
			       const struct instruction *i)
{
	if (i->kind != OPCODE_LOCAL_PAIR)
		return variable_name(t, names, i->kind, i->arg);
	_cleanup_py_ PyObject *a = variable_name(t, names, OPCODE_LOCAL, i->arg >> 4);
	_cleanup_py_ PyObject *b = variable_name(t, names, OPCODE_LOCAL, i->arg & 15);
	return py_pair(a, b);
}

static PyObject *step_key(struct tokens *t, const struct names *names,
			  const struct instruction *i, struct step *step)
{
	switch (i->kind) {
	case OPCODE_CONST:
	case OPCODE_RETURN_CONST:
	case OPCODE_COMMON:
	case OPCODE_SMALL_INT:
		step->value = bytecode_constant(t->world, names->constants, i);
		if (step->is_annotation)
			return py_ref(t->world->none);
		return step->value ? constant_key(t, step->value) : NULL;
	case OPCODE_NAME:
	case OPCODE_NAME_1:
	case OPCODE_NAME_2:
		step->value = PyTuple_GetItem(names->names, i->arg >> (i->kind - OPCODE_NAME));
		return py_ref(step->value);
	case OPCODE_IMPORT:
		step->value = PyTuple_GetItem(names->names, i->arg >> 2);
		return step->value ? Py_BuildValue("(Oi)", step->value, i->arg & 3) : NULL;
	case OPCODE_LOCAL:
	case OPCODE_LOCAL_PAIR:
	case OPCODE_FREE:
		return variables_key(t, names, i);
	default:
		return PyLong_FromLong(i->target >= 0 ? 0 : i->arg);
	}
}

int tokens_number(struct tokens *t, const struct names *names, const struct instruction *i,
		  struct step *step)
{
	step->op = t->world->opcodes.same_as[i->op];
	_cleanup_py_ PyObject *what = step_key(t, names, i, step);
	_cleanup_py_ PyObject *key = what ? Py_BuildValue("(iO)", step->op, what) : NULL;
	PyObject *known = py_get(t->numbers, key);

	if (!key)
		return -1;
	if (!known) {
		_cleanup_py_ PyObject *number = PyLong_FromLongLong(PyDict_Size(t->numbers));
		if (py_put(t->numbers, key, number))
			return -1;
		step->token = (int)PyLong_AsLong(number);
		return 0;
	}
	step->token = (int)PyLong_AsLong(known);
	return 0;
}
