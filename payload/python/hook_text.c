/* SPDX-License-Identifier: MIT
 *
 * See hook_text.h. What was packed is a number between 0 and 1; each bit that is asked for says
 * in which part of a range it is, and that part is the next range.
 */
#include "payload/python/hook_text.h"

/* What a bit says: these and what follows them. As in pack_hooks.py. */
enum { COPY = 0, SAME = 2, DISTANCE = 3, LENGTH = 35, LITERAL = 67, SAYINGS = LITERAL + 128 };

#define SEEN_MAX 48

struct packed {
	const unsigned char *rest;
	uint32_t code, size; /* of the range; where in it the number is */
	struct {
		int one; /* how likely it is, of 65536 */
		int seen;
	} chance[SAYINGS];
};

static int bit(struct packed *p, unsigned what)
{
	int *one = &p->chance[what].one, *seen = &p->chance[what].seen;

	for (; p->size < 1u << 24; p->size <<= 8)
		p->code = p->code << 8 | *p->rest++;
	const uint32_t ones = (p->size >> 16) * (uint32_t)*one;
	const int is_one = p->code < ones;
	p->code -= is_one ? 0 : ones;
	p->size = is_one ? ones : p->size - ones;
	*one += ((is_one << 16) - *one) * 2 / (2 * *seen + 3);
	*seen += *seen < SEEN_MAX;
	return is_one;
}

/* One at least: a one before each bit below the highest. */
static unsigned number(struct packed *p, unsigned what)
{
	unsigned value = 0, at = 0;

	for (; bit(p, what); what += 2)
		value |= (unsigned)bit(p, what + 1) << at++;
	return value | 1u << at;
}

static char character(struct packed *p)
{
	unsigned node = 1;

	while (node < 128)
		node = node * 2 + (unsigned)bit(p, LITERAL + node);
	return (char)(node - 128);
}

static void unpack(char *out)
{
	struct packed p = {.rest = hook_packed, .code = 0, .size = 0};
	const char *end = out + hook_size;
	unsigned distance = 0, was_copy = 0;

	for (unsigned i = 0; i < SAYINGS; i++) {
		p.chance[i].one = 1 << 15;
		p.chance[i].seen = 0;
	}
	for (; p.rest < hook_packed + 4; p.size = UINT32_MAX)
		p.code = p.code << 8 | *p.rest++;
	while (out < end) {
		if (!bit(&p, COPY + was_copy)) {
			*out++ = character(&p);
			was_copy = 0;
			continue;
		}
		if (was_copy || !bit(&p, SAME))
			distance = number(&p, DISTANCE);
		for (unsigned length = number(&p, LENGTH) + 1; length--; out++)
			*out = out[-(ptrdiff_t)distance];
		was_copy = 1;
	}
}

PyObject *hook_texts(void)
{
	char *out = PyMem_Malloc(hook_size);

	if (!out)
		return PyErr_NoMemory();
	unpack(out);
	_cleanup_py_ PyObject *all = PyUnicode_FromStringAndSize(out, hook_size);
	_cleanup_py_ PyObject *separator = PyUnicode_FromString("\f");
	PyMem_Free(out);
	return all && separator ? PyUnicode_Split(all, separator, -1) : NULL;
}

int hook_execute(PyObject *texts, enum hook_text which, PyObject *globals)
{
	const char *text = PyUnicode_AsUTF8(PyList_GetItem(texts, (Py_ssize_t)which));

	return text ? py_execute(text, globals) : -1;
}
