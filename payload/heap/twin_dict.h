/* SPDX-License-Identifier: MIT
 *
 * A dict gets another content in one step: it changes places with a twin that was filled
 * before. Filling a dict in place would hash its keys, or compare those whose hashes are equal.
 */
#ifndef PAYLOAD_HEAP_TWIN_DICT_H
#define PAYLOAD_HEAP_TWIN_DICT_H

#include "payload/python/world.h"

/* Tries it on two of ours: 0 when it does not work here. */
int twin_dict_is_sound(const struct world *world, PyObject *dict);

/* An empty dict, or OrderedDict, that can change places with `dict`. New reference; NULL with
 * an exception. */
PyObject *twin_dict_new(const struct world *world, PyObject *dict);

/* (key, value) in the order that it has as a new list. NULL with an exception. */
PyObject *twin_dict_items(const struct world *world, PyObject *dict);

int twin_dict_set(const struct world *world, PyObject *twin, PyObject *key, PyObject *value);

/* Twice is as if it had not been. */
int twin_dict_swap(const struct world *world, PyObject *dict, PyObject *twin);

#endif
