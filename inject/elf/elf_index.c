/* SPDX-License-Identifier: MIT
 *
 * Indexing an image's symbols, and finding them by name and by address.
 *
 * The invariant: a symbol found by address holds that address by its own size.
 */
#include "inject/elf/elf_index.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

/* Whether `a` is what its name stands for rather than `b`: the default version, then the lowest
 * address. */
static bool is_better(const struct elf_symbol *a, const struct elf_symbol *b)
{
	if (a->is_hidden != b->is_hidden)
		return !a->is_hidden;
	return a->value < b->value;
}

/* hsearch_r() only reads what a key points to, though its type does not say so. */
static ENTRY entry_of(const char *name, struct elf_symbol *symbol)
{
	return (ENTRY){.key = (char *)(uintptr_t)name, .data = symbol};
}

/* A hash table: sorting the 5000 names of a libc and a libpython took a quarter of what the
 * whole program does in user mode. */
static int index_names(struct elf_image *image)
{
	if (!hcreate_r(2 * image->symbol_count + 1, &image->by_name))
		return -1;
	for (size_t i = 0; i < image->symbol_count; i++) {
		struct elf_symbol *symbol = &image->symbols[i];
		ENTRY *found;

		if (!hsearch_r(entry_of(symbol->name, symbol), ENTER, &found, &image->by_name))
			return -1;
		if (is_better(symbol, found->data))
			found->data = symbol;
	}
	return 0;
}

static int compare_values(const void *left, const void *right)
{
	const struct elf_symbol *a = *(struct elf_symbol *const *)left;
	const struct elf_symbol *b = *(struct elf_symbol *const *)right;

	if (a->value != b->value)
		return a->value < b->value ? -1 : 1;
	if (a->is_function != b->is_function)
		return a->is_function ? -1 : 1;
	return strcmp(a->name, b->name);
}

static uint64_t end_of(const struct elf_symbol *symbol)
{
	uint64_t end = symbol->value + symbol->size;

	return end < symbol->value ? UINT64_MAX : end;
}

int elf_image_index(struct elf_image *image, struct hp_err *err)
{
	uint64_t reach = 0;

	image->by_value = calloc(image->symbol_count + 1, sizeof(struct elf_symbol *));
	image->reach = calloc(image->symbol_count + 1, sizeof(*image->reach));
	if (!image->by_value || !image->reach || index_names(image))
		return hp_err_set(err, HP_SYSTEM, 0,
				  "no memory for the symbols of an ELF file");
	for (size_t i = 0; i < image->symbol_count; i++)
		image->by_value[i] = &image->symbols[i];
	qsort(image->by_value, image->symbol_count, sizeof(*image->by_value), compare_values);
	for (size_t i = 0; i < image->symbol_count; i++) {
		uint64_t end = end_of(image->by_value[i]);

		reach = end > reach ? end : reach;
		image->reach[i] = reach;
	}
	return 0;
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
	if (image->by_name.table)
		hdestroy_r(&image->by_name);
	free(image->symbols);
	free(image->by_value);
	free(image->imports);
	free(image->segments);
	free(image->strings);
	free(image->reach);
	*image = (struct elf_image){0};
}

const struct elf_symbol *elf_image_find(const struct elf_image *image, const char *name)
{
	struct hsearch_data by_name = image->by_name; /* FIND changes nothing of it */
	ENTRY *found;

	if (!by_name.table || !hsearch_r(entry_of(name, NULL), FIND, &found, &by_name))
		return NULL;
	return found->data;
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

const struct elf_symbol *elf_image_at(const struct elf_image *image, uint64_t vaddr)
{
	const struct elf_symbol *found = NULL;
	size_t low = 0, high = image->symbol_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (image->by_value[middle]->value <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	/* Backwards from the last that starts at or before vaddr, while one may still hold it.
	 */
	for (size_t i = low; i > 0 && image->reach[i - 1] > vaddr; i--) {
		const struct elf_symbol *symbol = image->by_value[i - 1];

		if (vaddr >= end_of(symbol) || (found && found->value != symbol->value))
			continue;
		found = symbol; /* of aliases the first: a function before data */
	}
	return found;
}
