/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "inject/proc/maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct maps maps;
	struct hp_err err;

	if (maps_parse(&maps, (const char *)data, size, &err) < 0)
		return 0;
	for (size_t i = 0; i < maps.count; i++) {
		const struct map *map = &maps.items[i];

		if (map->start.v >= map->end.v || (i && map->start.v < map[-1].end.v))
			abort();
		if (strlen(map->path) > size || maps_find(&maps, map->start) != map)
			abort();
	}
	maps_fini(&maps);
	return 0;
}
