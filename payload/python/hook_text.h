/* SPDX-License-Identifier: MIT
 *
 * The Python that new module code meets in the place of the import system and of what makes
 * classes (shadow/hooks), and that asks where a module is (source/elsewhere.py): each file a
 * text, packed by pack_hooks.py.
 */
#ifndef PAYLOAD_PYTHON_HOOK_TEXT_H
#define PAYLOAD_PYTHON_HOOK_TEXT_H

#include "payload/base/py.h"

/* What a byte stands for: a character, or from their count on two bytes. */
extern const unsigned hook_character_count;
extern const unsigned char hook_characters[], hook_pairs[][2];
extern const unsigned char hook_start[], hook_imports[], hook_classes[], hook_donor[],
	hook_keep[], hook_clones[], hook_overlay[], hook_elsewhere[], hook_stars[];

/* The text: a new str; NULL with an exception. */
PyObject *hook_text(const unsigned char *packed);

/* Executes it in a namespace that has its __builtins__; -1 with an exception. */
int hook_execute(const unsigned char *packed, PyObject *globals);

#endif
