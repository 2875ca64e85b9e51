/* SPDX-License-Identifier: MIT
 *
 * The layout of Lib/importlib/_bootstrap_external.py: magic number; since 3.7 (PEP 552) flags;
 * then either the source's time of modification and size, or its hash; then the marshalled
 * code.
 */
#include "payload/source/pyc.h"

#include "payload/base/freestanding.h"
#include "payload/job/file.h"
#include "payload/source/origin.h"

#define NS_PER_S      1000000000LL
#define BY_HASH       1u
#define HASH_IS_CHECK 2u

/* ModuleSpec.cached is worked out when it is first read, and kept. New reference or NULL. */
static PyObject *cached_of_spec(const struct world *w, const struct module *module)
{
	_cleanup_py_ PyObject *before = origin_of_spec(w, module->live, NAME_KEPT_CACHED);
	PyObject *cached = origin_of_spec(w, module->live, NAME_CACHED);

	if (before == w->none && cached && cached != w->none &&
	    PyObject_SetAttrString(PyDict_GetItemString(module->live, "__spec__"), "_cached",
				   w->none))
		PyErr_Clear();
	return cached;
}

static PyObject *find_path(const struct world *w, const struct module *module)
{
	_cleanup_py_ PyObject *cached = cached_of_spec(w, module);
	PyObject *path = cached && cached != w->none
				 ? cached
				 : PyDict_GetItemString(module->live, "__cached__");
	PyObject *encoded = world_is_str(path) ? PyUnicode_EncodeFSDefault(path) : NULL;

	PyErr_Clear();
	return encoded;
}

/* `words`: what follows the magic number and, since 3.7, begins with the flags. */
static int is_trusted(const struct module *module, const uint32_t *words, int has_flags)
{
	uint32_t flags = has_flags ? *words++ : 0;

	if (flags & BY_HASH)
		return !(flags & HASH_IS_CHECK);
	return words[0] == (uint32_t)(module->stamp.mtime_ns / NS_PER_S) &&
	       words[1] == (uint32_t)module->stamp.size;
}

static PyObject *code_in(const char *data, Py_ssize_t size)
{
	PyObject *code = PyMarshal_ReadObjectFromString(data, size);

	if (world_is_code(code))
		return code;
	PyErr_Clear();
	Py_DecRef(code);
	return NULL;
}

struct pyc pyc_read(struct job *job, const struct module *module)
{
	_cleanup_py_ PyObject *path = find_path(&job->world, module);
	_cleanup_py_ PyObject *bytes = path ? file_read(path) : NULL;
	int has_flags = job->reply.header->python_version >= 0x03070000;
	Py_ssize_t header = has_flags ? 16 : 12, size;
	struct pyc pyc = {.code = NULL};
	struct file_stamp stamp;
	uint32_t words[4];
	const char *name = py_bytes(path);
	char *data;

	if (!bytes || PyBytes_AsStringAndSize(bytes, &data, &size) || size <= header) {
		PyErr_Clear();
		return pyc;
	}
	memcpy(words, data, (size_t)header);
	if (words[0] != (uint32_t)PyImport_GetMagicNumber())
		return pyc;
	pyc.code = code_in(data + header, size - header);
	pyc.is_trusted = is_trusted(module, words + 1, has_flags);
	if (name && file_stamp_get(&stamp, name) >= 0)
		pyc.is_newer = stamp.ctime_ns >= module->stamp.ctime_ns;
	PyErr_Clear();
	return pyc;
}
