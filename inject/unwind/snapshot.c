/* SPDX-License-Identifier: MIT
 *
 * See snapshot.h. The invariant: a page or span is either wholly read or not there.
 */
#include "inject/unwind/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inject/base/cleanup.h"
#include "inject/proc/maps.h"

int snapshot_init(struct snapshot *out, const struct target *target, struct hp_err *err)
{
	/* Untouched pages of it cost nothing: malloc takes it from mmap. */
	uint8_t *data = malloc((size_t)SNAPSHOT_PAGES * SNAPSHOT_PAGE);

	if (!data)
		return hp_err_set(err, HP_SYSTEM, ENOMEM,
				  "prepare to read the target's memory");
	*out = (struct snapshot){.target = target, .generation = 1, .data = data};
	return 0;
}

void snapshot_fini(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->span_count; i++)
		free(snapshot->spans[i].data);
	free(snapshot->data);
	*snapshot = (struct snapshot){0};
}

void snapshot_renew(struct snapshot *snapshot, uint64_t at, struct span bytes)
{
	snapshot->generation++;
	snapshot->lent_at = at;
	snapshot->lent = bytes;
	snapshot->strayed = false;
}

void snapshot_prepare(struct snapshot *snapshot, remote_addr start, remote_addr end)
{
	_cleanup_free_ uint8_t *data = NULL;
	struct hp_err ignored;
	size_t len;

	if (snapshot->span_count == SNAPSHOT_SPANS || start.v >= end.v ||
	    end.v - start.v > SNAPSHOT_SPAN_MAX)
		return;
	len = (size_t)(end.v - start.v);
	data = malloc(len);
	if (!data || target_read(snapshot->target, start, data, len, &ignored) < 0)
		return;
	snapshot->spans[snapshot->span_count++] =
		(struct snapshot_span){.start = start.v, .len = len, .data = take_ptr(&data)};
}

/* The bytes from addr to the end of its span, or NULL. */
static const uint8_t *span_at(const struct snapshot *snapshot, uint64_t addr, size_t *left_out)
{
	if (addr >= snapshot->lent_at && addr - snapshot->lent_at < snapshot->lent.len) {
		*left_out = snapshot->lent.len - (size_t)(addr - snapshot->lent_at);
		return snapshot->lent.data + (addr - snapshot->lent_at);
	}
	for (size_t i = 0; i < snapshot->span_count; i++) {
		const struct snapshot_span *span = &snapshot->spans[i];

		if (addr < span->start || addr - span->start >= span->len)
			continue;
		*left_out = span->len - (size_t)(addr - span->start);
		return span->data + (addr - span->start);
	}
	return NULL;
}

static const uint8_t *page_at(struct snapshot *snapshot, uint64_t addr, size_t *left_out)
{
	const uint64_t start = addr & ~(uint64_t)(SNAPSHOT_PAGE - 1);
	const size_t slot = (size_t)(start / SNAPSHOT_PAGE) % SNAPSHOT_PAGES;
	struct snapshot_page *page = &snapshot->pages[slot];
	uint8_t *data = snapshot->data + slot * SNAPSHOT_PAGE;
	const struct map *map;
	struct hp_err ignored;

	*left_out = SNAPSHOT_PAGE - (size_t)(addr - start);
	if (page->generation && page->start == start &&
	    (page->constant || page->generation == snapshot->generation)) {
		snapshot->strayed |= !page->constant;
		return data + (addr - start);
	}
	page->generation = 0;
	if (target_read(snapshot->target, addr_of(start), data, SNAPSHOT_PAGE, &ignored) < 0)
		return NULL;
	map = maps_find(&snapshot->target->maps, addr_of(start));
	*page = (struct snapshot_page){.start = start,
				       .generation = snapshot->generation,
				       .constant = map && !(map->prot & MAP_WRITE)};
	snapshot->strayed |= !page->constant;
	return data + (addr - start);
}

int snapshot_read(void *context, uint64_t addr, void *out, size_t len)
{
	struct snapshot *snapshot = context;
	uint8_t *to = out;

	while (len > 0) {
		size_t left;
		const uint8_t *from = span_at(snapshot, addr, &left);

		if (!from)
			from = page_at(snapshot, addr, &left);
		if (!from)
			return -1;
		if (left > len)
			left = len;
		memcpy(to, from, left);
		to += left;
		addr += left;
		len -= left;
	}
	return 0;
}
