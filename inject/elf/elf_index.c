/* SPDX-License-Identifier: MIT
 *
 * Finding an image's symbols by name, by address, and in order. Only names have an index: what
 * is wanted by address is wanted rarely.
 *
 * The invariant: a symbol found by address holds that address by its own size.
 */
#include "inject/elf/elf_index.h"

#include <stdlib.h>
#include <string.h>

#include "inject/base/name_hash.h"

#define PAGE 4096u

/* Whether `a` is what its name stands for rather than `b`: the default version, then the lowest
 * address. */
static bool is_better(const struct elf_symbol *a, const struct elf_symbol *b)
{
	if (a->is_hidden != b->is_hidden)
		return !a->is_hidden;
	return a->value < b->value;
}

static bool has_name(const struct elf_symbol *symbol, const char *name, uint32_t hash)
{
	return symbol->hash == hash && !strcmp(symbol->name, name);
}

/* Where in the table the name is, or the empty place where it would be. */
static uint32_t *place_of(const struct elf_image *image, const char *name, uint32_t hash)
{
	uint32_t at = hash >> 1;

	for (;; at++) {
		uint32_t *place = &image->by_name[at & image->by_name_mask];

		if (!*place || has_name(&image->symbols[*place - 1], name, hash))
			return place;
	}
}

/* A table of our own: sorting the 5000 names of a libc and a libpython took a quarter of what
 * the whole program did in user mode, hsearch_r() as much. */
int elf_image_index(struct elf_image *image, struct hp_err *err)
{
	uint32_t size = 16;

	while (size < 2 * image->symbol_count)
		size *= 2;
	image->by_name = calloc(size, sizeof(*image->by_name));
	if (!image->by_name)
		return hp_err_set(err, HP_SYSTEM, 0,
				  "no memory for the symbols of an ELF file");
	image->by_name_mask = size - 1;
	for (size_t i = 0; i < image->symbol_count; i++) {
		const struct elf_symbol *symbol = &image->symbols[i];
		uint32_t *place = place_of(image, symbol->name, symbol->hash);

		if (!*place || is_better(symbol, &image->symbols[*place - 1]))
			*place = (uint32_t)i + 1;
	}
	return 0;
}

static uint64_t end_of(const struct elf_symbol *symbol)
{
	uint64_t end = symbol->value + symbol->size;

	return end < symbol->value ? UINT64_MAX : end;
}

uint64_t elf_image_bias(const struct elf_image *image, uint64_t base)
{
	for (size_t i = 0; i < image->segment_count; i++) {
		const struct elf_segment *s = &image->segments[i];

		/* The segment with the file's first byte; its address and offset agree modulo a
		 * page. */
		if (s->offset < PAGE && s->filesz)
			return base - (s->vaddr - s->offset);
	}
	return image->is_pie ? base : 0;
}

void elf_image_fini(struct elf_image *image)
{
	free(image->by_name);
	free(image->symbols);
	free(image->imports);
	free(image->segments);
	free(image->strings);
	*image = (struct elf_image){0};
}

const struct elf_symbol *elf_image_find(const struct elf_image *image, const char *name)
{
	const uint32_t *place = image->by_name ? place_of(image, name, name_hash(name)) : NULL;

	return place && *place ? &image->symbols[*place - 1] : NULL;
}

const struct elf_import *elf_image_import(const struct elf_image *image, const char *name,
					  const struct elf_import *after)
{
	size_t i = after ? (size_t)(after - image->imports) + 1 : 0;

	for (; i < image->import_count; i++) {
		if (!strcmp(image->imports[i].name, name))
			return &image->imports[i];
	}
	return NULL;
}

/* Which of two that hold an address it belongs to: the last to begin, a function before data.
 */
static bool is_nearer(const struct elf_symbol *a, const struct elf_symbol *b)
{
	if (a->value != b->value)
		return a->value > b->value;
	if (a->is_function != b->is_function)
		return a->is_function;
	return strcmp(a->name, b->name) < 0;
}

/* Through all of them: it is asked for once, when a message needs a name. */
const struct elf_symbol *elf_image_at(const struct elf_image *image, uint64_t vaddr)
{
	const struct elf_symbol *found = NULL;

	for (size_t i = 0; i < image->symbol_count; i++) {
		const struct elf_symbol *symbol = &image->symbols[i];

		if (vaddr >= symbol->value && vaddr < end_of(symbol) &&
		    (!found || is_nearer(symbol, found)))
			found = symbol;
	}
	return found;
}

/* ---- in order ---- */

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

/* One pass of a radix sort, stable: from by to, by the digit of (value - lowest) at shift. */
static void sort_by_digit(const struct elf_symbol **to, const struct elf_symbol *const *from,
			  size_t count, uint64_t lowest, unsigned shift)
{
	size_t begin[DIGITS + 1] = {0};

	for (size_t i = 0; i < count; i++)
		begin[((from[i]->value - lowest) >> shift) % DIGITS + 1]++;
	for (size_t i = 0; i < DIGITS; i++)
		begin[i + 1] += begin[i];
	for (size_t i = 0; i < count; i++)
		to[begin[((from[i]->value - lowest) >> shift) % DIGITS]++] = from[i];
}

/* The addresses of a library have some 21 bits: two passes, a tenth of what qsort() takes. */
int elf_image_functions(const struct elf_symbol ***out, size_t *count_out,
			const struct elf_image *image, struct hp_err *err)
{
	const size_t capacity = image->symbol_count + 1;
	const struct elf_symbol **items = malloc(2 * capacity * sizeof(*items));
	uint64_t lowest = UINT64_MAX, highest = 0;
	size_t count = 0;

	if (!items)
		return hp_err_set(err, HP_SYSTEM, 0, "no memory to sort symbols");
	for (size_t i = 0; i < image->symbol_count; i++) {
		const struct elf_symbol *symbol = &image->symbols[i];

		if (!symbol->is_function || !symbol->size)
			continue;
		items[count++] = symbol;
		lowest = symbol->value < lowest ? symbol->value : lowest;
		highest = symbol->value > highest ? symbol->value : highest;
	}
	for (unsigned shift = 0; count && shift < 64 && (highest - lowest) >> shift;
	     shift += DIGIT_BITS) {
		sort_by_digit(items + capacity, items, count, lowest, shift);
		memcpy(items, items + capacity, count * sizeof(*items));
	}
	*out = items;
	*count_out = count;
	return 0;
}
