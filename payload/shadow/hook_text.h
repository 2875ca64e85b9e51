/* SPDX-License-Identifier: MIT
 *
 * The Python that new module code meets in the place of the import system and of what makes
 * classes: hooks/, each file a text, packed by pack_hooks.py.
 */
#ifndef PAYLOAD_SHADOW_HOOK_TEXT_H
#define PAYLOAD_SHADOW_HOOK_TEXT_H

#include "payload/base/py.h"

/* What a byte stands for: a character, or from their count on two bytes. */
extern const unsigned hook_character_count;
extern const unsigned char hook_characters[], hook_pairs[][2];
extern const unsigned char hook_start[], hook_imports[], hook_classes[], hook_donor[],
	hook_keep[], hook_clones[], hook_overlay[];

/* The text: a new str; NULL with an exception. */
PyObject *hook_text(const unsigned char *packed);

#endif
