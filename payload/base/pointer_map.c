/* SPDX-License-Identifier: MIT
 *
 * Open addressing with linear probing; never more than half full; nothing is ever removed.
 */
#include "payload/base/pointer_map.h"

#include "payload/base/freestanding.h"

static size_t slot_of(const struct pointer_map *map, const PyObject *key)
{
	/* Objects are 16-aligned: the low bits say nothing. */
	size_t at = ((uintptr_t)key >> 4) * 0x9e3779b97f4a7c15u >> 20;

	for (at &= map->capacity - 1; map->slots[at].key; at = (at + 1) & (map->capacity - 1))
		if (map->slots[at].key == key)
			break;
	return at;
}

static int grow(struct pointer_map *map)
{
	struct pointer_map bigger = {.capacity = map->capacity ? map->capacity * 2 : 64};

	bigger.slots = py_room(bigger.capacity * sizeof(*bigger.slots));
	if (!bigger.slots)
		return -1;
	for (size_t i = 0; i < map->capacity; i++)
		if (map->slots[i].key)
			bigger.slots[slot_of(&bigger, map->slots[i].key)] = map->slots[i];
	bigger.count = map->count;
	PyMem_Free(map->slots);
	*map = bigger;
	return 0;
}

void pointer_map_fini(struct pointer_map *map)
{
	struct pointer_map dying = *map;

	*map = (struct pointer_map){0};
	for (size_t i = 0; i < dying.capacity; i++) {
		if (!dying.slots[i].key)
			continue;
		Py_DecRef(dying.slots[i].key);
		Py_DecRef(dying.slots[i].value);
	}
	PyMem_Free(dying.slots);
}

PyObject *pointer_map_get(const struct pointer_map *map, PyObject *key)
{
	return map->count ? map->slots[slot_of(map, key)].value : NULL;
}

int pointer_map_set(struct pointer_map *map, PyObject *key, PyObject *value)
{
	if (2 * (map->count + 1) > map->capacity && grow(map))
		return -1;
	struct pointer_entry *slot = &map->slots[slot_of(map, key)];
	PyObject *before = slot->value;
	if (!slot->key) {
		slot->key = py_ref(key);
		map->count++;
	}
	slot->value = py_ref(value);
	Py_DecRef(before);
	return 0;
}

int pointer_map_add(struct pointer_map *map, PyObject *key)
{
	const size_t count = map->count;

	return pointer_map_set(map, key, key) ? -1 : map->count != count;
}

const struct pointer_entry *pointer_map_next(const struct pointer_map *map, size_t *at)
{
	while (*at < map->capacity) {
		const struct pointer_entry *entry = &map->slots[(*at)++];
		if (entry->key)
			return entry;
	}
	return NULL;
}
