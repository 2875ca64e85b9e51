/* SPDX-License-Identifier: MIT
 *
 * The Python that new module code meets in the place of the import system and of what makes
 * classes (shadow/hooks), and that asks where a module is (source/elsewhere.py): each file a
 * text, packed together by pack_hooks.py.
 */
#ifndef PAYLOAD_PYTHON_HOOK_TEXT_H
#define PAYLOAD_PYTHON_HOOK_TEXT_H

#include "payload/base/py.h"

enum hook_text {
	HOOK_START,
	HOOK_IMPORTS, /* the second, for start.py */
	HOOK_OVERLAY, /* this and the next two: an order that clones.py relies on */
	HOOK_DONOR,
	HOOK_CLASSES,
	HOOK_KEEP,
	HOOK_CLONES,
	HOOK_STARS,
	HOOK_ELSEWHERE,
	HOOK_STORES, /* the last, for start.py */
};

/* Made by pack_hooks.py. */
extern const unsigned hook_size; /* of all texts, unpacked */
extern const unsigned char hook_packed[];

/* All texts: a new list; NULL with an exception. */
PyObject *hook_texts(void);

/* Executes one in a namespace that has its __builtins__; -1 with an exception. */
int hook_execute(PyObject *texts, enum hook_text which, PyObject *globals);

#endif
