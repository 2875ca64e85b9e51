/* SPDX-License-Identifier: MIT
 *
 * Decoding. A code object of a .pyc may be damaged: nothing is read past the end of what it
 * holds, and an index that leads outside is an error.
 */
#include "payload/python/bytecode.h"

#include "payload/base/freestanding.h"

/* The bytes of an attribute of a code object. `owner` keeps them alive. */
struct bytes {
	PyObject *owner;
	const unsigned char *at, *end;
};

static int bytes_get(struct bytes *out, PyObject *code, const char *attribute)
{
	char *data;
	Py_ssize_t size;

	out->owner = PyObject_GetAttrString(code, attribute);
	if (!out->owner || PyBytes_AsStringAndSize(out->owner, &data, &size))
		return -1;
	out->at = (const unsigned char *)data;
	out->end = out->at + size;
	return 0;
}

static void bytes_drop(const struct bytes *bytes)
{
	Py_DecRef(bytes->owner);
}
#define _cleanup_bytes_ __attribute__((cleanup(bytes_drop)))

/* A prefix and its instruction are one; a jump to the prefix leads to it. */
static int decode(struct bytecode *b, const struct opcodes *opcodes, struct bytes bytes)
{
	int units = (int)((bytes.end - bytes.at) / 2);
	unsigned arg = 0;

	b->items = py_room((size_t)(units + 1) * sizeof(*b->items));
	b->at = py_room((size_t)(units + 1) * sizeof(*b->at));
	if (!b->items || !b->at)
		return -1;
	b->units = units;
	for (int i = 0; i < units; i++) {
		unsigned char op = bytes.at[2 * i];
		arg = arg << 8 | bytes.at[2 * i + 1];
		b->at[i] = b->count;
		if (opcodes->kind[op] == OPCODE_EXTENDED)
			continue;
		b->items[b->count++] = (struct instruction){
			.op = op, .kind = opcodes->kind[op], .arg = (int)arg, .target = -1};
		arg = 0;
	}
	b->at[units] = b->count;
	return 0;
}

static int unit_index(const struct bytecode *b, int64_t unit)
{
	return unit < 0 || unit > b->units ? -1 : b->at[unit];
}

/* Jumps count bytes up to 3.9, code units from 3.10 on; relative ones start behind the
 * instruction and its caches. */
static void find_targets(struct bytecode *b, const struct opcodes *opcodes)
{
	int scale = opcodes->minor < 10 ? 2 : 1;

	for (int unit = 0; unit < b->units; unit++) {
		struct instruction *i = &b->items[b->at[unit]];
		int64_t next = unit + 1, distance = i->arg / scale;
		if (b->at[unit + 1] == b->at[unit]) /* a prefix */
			continue;
		while (opcodes->minor >= 11 && next < b->units && b->items[b->at[next]].op == 0)
			next++;
		if (i->kind == OPCODE_FORWARD || i->kind == OPCODE_GO_FORWARD)
			i->target = unit_index(b, next + distance);
		else if (i->kind == OPCODE_BACKWARD || i->kind == OPCODE_GO_BACKWARD)
			i->target = unit_index(b, next - distance);
		else if (i->kind == OPCODE_ABSOLUTE || i->kind == OPCODE_GO_ABSOLUTE)
			i->target = unit_index(b, distance);
	}
}

static void set_lines(struct bytecode *b, int64_t start, int64_t end, int line)
{
	for (int64_t unit = start; unit >= 0 && unit < end && unit < b->units; unit++)
		b->items[b->at[unit]].line = line;
}

/* co_lnotab, up to 3.9: pairs of (bytes, signed lines). Objects/lnotab_notes.txt */
static int read_lnotab(struct bytecode *b, PyObject *code)
{
	_cleanup_bytes_ struct bytes table = {0};
	_cleanup_py_ PyObject *first = PyObject_GetAttrString(code, "co_firstlineno");
	int line = first ? (int)PyLong_AsLong(first) : 0, unit = 0;

	if (!first || bytes_get(&table, code, "co_lnotab"))
		return -1;
	for (; table.at + 1 < table.end; table.at += 2) {
		set_lines(b, unit, unit + table.at[0] / 2, line);
		unit += table.at[0] / 2;
		line += (signed char)table.at[1];
	}
	set_lines(b, unit, b->units, line);
	return 0;
}

static int read_lines(struct bytecode *b, const struct world *w, const struct opcodes *opcodes,
		      PyObject *code)
{
	if (opcodes->minor < 10)
		return read_lnotab(b, code);
	_cleanup_py_ PyObject *lines = PyObject_CallMethod(code, "co_lines", NULL);
	_cleanup_py_ PyObject *list = lines ? PySequence_List(lines) : NULL;
	PyObject *entry;
	for (Py_ssize_t i = 0; (entry = py_item(list, i)); i++) {
		PyObject *line = PyTuple_GetItem(entry, 2);
		if (line == w->none)
			continue;
		set_lines(b, py_number(entry, 0) / 2, (py_number(entry, 1) + 1) / 2,
			  (int)PyLong_AsLong(line));
	}
	return list && !PyErr_Occurred() ? 0 : -1;
}

/* Objects/exception_handling_notes.txt, 3.11: six bits a byte, the highest first. */
static int64_t read_varint(struct bytes *bytes)
{
	int64_t value = 0;
	int is_more = 1;

	while (is_more && bytes->at < bytes->end) {
		is_more = *bytes->at & 64;
		value = (value << 6 | (*bytes->at++ & 63)) & INT32_MAX;
	}
	return value;
}

static int read_guards(struct bytecode *b, const struct opcodes *opcodes, PyObject *code)
{
	_cleanup_bytes_ struct bytes table = {0};

	if (opcodes->minor < 11)
		return 0;
	if (bytes_get(&table, code, "co_exceptiontable"))
		return -1;
	b->guards = py_room((size_t)(table.end - table.at + 1) * sizeof(*b->guards));
	if (!b->guards)
		return -1;
	while (table.at < table.end) {
		int64_t start = read_varint(&table), length = read_varint(&table);
		struct guard guard = {.start = unit_index(b, start),
				      .end = unit_index(b, start + length),
				      .handler = unit_index(b, read_varint(&table))};
		read_varint(&table); /* depth and lasti */
		if (guard.start >= 0 && guard.end >= 0 && guard.handler >= 0)
			b->guards[b->guard_count++] = guard;
	}
	return 0;
}

int bytecode_init(struct bytecode *out, const struct world *world, PyObject *code)
{
	const struct opcodes *opcodes = &world->opcodes;
	_cleanup_bytes_ struct bytes bytes = {0};

	*out = (struct bytecode){0};
	if (bytes_get(&bytes, code, "co_code") || decode(out, opcodes, bytes))
		return -1;
	find_targets(out, opcodes);
	return read_lines(out, world, opcodes, code) || read_guards(out, opcodes, code) ? -1
											: 0;
}

PyObject *bytecode_constant(const struct world *w, PyObject *constants,
			    const struct instruction *i)
{
	switch (i->kind) {
	case OPCODE_CONST:
	case OPCODE_RETURN_CONST:
		return PyTuple_GetItem(constants, i->arg);
	case OPCODE_COMMON:
		return PyList_GetItem(w->common, i->arg);
	case OPCODE_SMALL_INT: {
		/* Immortal: Objects/longobject.c, get_small_int. */
		_cleanup_py_ PyObject *value = PyLong_FromLong(i->arg);
		return value;
	}
	default:
		return NULL;
	}
}

void bytecode_fini(struct bytecode *b)
{
	PyMem_Free(b->items);
	PyMem_Free(b->at);
	PyMem_Free(b->guards);
	*b = (struct bytecode){0};
}
