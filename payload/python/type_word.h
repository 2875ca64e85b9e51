/* SPDX-License-Identifier: MIT
 *
 * The word in which objects keep their type.
 */
#ifndef PAYLOAD_PYTHON_TYPE_WORD_H
#define PAYLOAD_PYTHON_TYPE_WORD_H

#include "payload/python/world.h"

/* Finds py_type_offset; leaves it 0 when there is no proof. */
void type_word_find(const struct world *world);

#endif
