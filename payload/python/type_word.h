/* SPDX-License-Identifier: MIT
 *
 * The words in which objects keep their type, and types their base.
 */
#ifndef PAYLOAD_PYTHON_TYPE_WORD_H
#define PAYLOAD_PYTHON_TYPE_WORD_H

#include "payload/python/world.h"

/* No type is smaller: PyTypeObject has 400 bytes and more from 3.7 on. */
#define TYPE_SIZE 400

/* Where a type has its __base__, a reference that it owns; 0: not known. */
extern size_t py_base_offset;

/* Finds py_type_offset and py_base_offset; leaves 0 what there is no proof of. */
void type_word_find(const struct world *world);

#endif
