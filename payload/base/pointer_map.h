/* SPDX-License-Identifier: MIT
 *
 * A map from object identity to an object. Not a dict: a dict would call __hash__ and __eq__ of
 * the program's objects.
 */
#ifndef PAYLOAD_BASE_POINTER_MAP_H
#define PAYLOAD_BASE_POINTER_MAP_H

#include "payload/base/py.h"

struct pointer_entry {
	PyObject *key, *value;
};

/* Owns a reference to each key and each value. All zero is the empty map. */
struct pointer_map {
	struct pointer_entry *slots;
	size_t capacity, count;
};

void pointer_map_fini(struct pointer_map *map);
PyObject *pointer_map_get(const struct pointer_map *map, PyObject *key); /* borrowed or NULL */

/* -1 with MemoryError set. An existing key gets the new value. */
int pointer_map_set(struct pointer_map *map, PyObject *key, PyObject *value);

/* As a set: 1 when the key is new, 0 when it was there. -1 likewise. */
int pointer_map_add(struct pointer_map *map, PyObject *key);

/* Steps through the entries in no order: *at starts at 0; NULL at the end. */
const struct pointer_entry *pointer_map_next(const struct pointer_map *map, size_t *at);

#endif
