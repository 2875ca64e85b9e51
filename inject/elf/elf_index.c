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

#include "inject/base/cleanup.h"
#include "inject/base/name_hash.h"
#include "inject/elf/elf_file.h"

#define PAGE 4096u

/* ---- by number ---- */

static inline bool is_usable(const struct elf_symbols *symbols, const Elf64_Sym *sym)
{
	/* A thread-local one's value is no address. */
	const unsigned types =
		1u << STT_NOTYPE | 1u << STT_OBJECT | 1u << STT_FUNC | 1u << STT_GNU_IFUNC;
	const unsigned binds =
		1u << STB_GLOBAL | 1u << STB_WEAK | 1u << STB_LOCAL | 1u << STB_GNU_UNIQUE;

	if (!(types >> ELF64_ST_TYPE(sym->st_info) & 1) ||
	    !(binds >> ELF64_ST_BIND(sym->st_info) & 1))
		return false;
	/* Absolute symbols are the names of versions. */
	if (sym->st_shndx == SHN_UNDEF || sym->st_shndx == SHN_ABS ||
	    sym->st_shndx == SHN_COMMON)
		return false;
	return sym->st_name < symbols->strings_len && symbols->strings[sym->st_name];
}

static bool is_function(const Elf64_Sym *sym)
{
	return ELF64_ST_TYPE(sym->st_info) == STT_FUNC ||
	       ELF64_ST_TYPE(sym->st_info) == STT_GNU_IFUNC;
}

static uint32_t hash_of(const struct elf_symbols *symbols, size_t number, const char *name)
{
	if (symbols->bucket_count && number >= symbols->first_hashed)
		return symbols->hashes[number - symbols->first_hashed] | 1;
	return name_hash(name);
}

const char *elf_image_function(uint32_t *hash, const struct elf_image *image, size_t number)
{
	const struct elf_symbols *symbols = &image->symbols;
	const Elf64_Sym *sym = &symbols->items[number];
	const char *name;

	if (number == STN_UNDEF || !is_function(sym) || !sym->st_size ||
	    !is_usable(symbols, sym))
		return NULL;
	name = symbols->strings + sym->st_name;
	*hash = hash_of(symbols, number, name);
	return name;
}

bool elf_image_symbol(struct elf_symbol *out, const struct elf_image *image, size_t number)
{
	const struct elf_symbols *symbols = &image->symbols;
	const Elf64_Sym *sym;

	/* The first one is none (STN_UNDEF), whatever a file has there. */
	if (number == STN_UNDEF || number >= symbols->count)
		return false;
	sym = &symbols->items[number];
	if (!is_usable(symbols, sym))
		return false;
	*out = (struct elf_symbol){
		.name = symbols->strings + sym->st_name,
		.hash = hash_of(symbols, number, symbols->strings + sym->st_name),
		.value = sym->st_value,
		.size = sym->st_size,
		.is_function = is_function(sym),
		.is_ifunc = ELF64_ST_TYPE(sym->st_info) == STT_GNU_IFUNC,
		.is_weak = ELF64_ST_BIND(sym->st_info) == STB_WEAK,
		.is_hidden = symbols->versions && (symbols->versions[number] & 0x8000u),
	};
	return true;
}

/* ---- by name ---- */

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

/* As the loader looks (elf/dl-lookup.c), in the bucket of the name. */
static bool find_in_bucket(struct elf_symbol *out, const struct elf_image *image,
			   const char *name)
{
	const struct elf_symbols *symbols = &image->symbols;
	const size_t first = symbols->first_hashed;
	const uint32_t hash = gnu_hash(name);
	struct elf_symbol symbol;
	bool found = false;

	for (size_t i = symbols->buckets[hash % symbols->bucket_count];
	     i >= first && i < symbols->count; i++) {
		const uint32_t entry = symbols->hashes[i - first];

		if ((entry | 1) == (hash | 1) && elf_image_symbol(&symbol, image, i) &&
		    has_name(&symbol, name, hash | 1) && (!found || is_better(&symbol, out))) {
			*out = symbol;
			found = true;
		}
		if (entry & 1)
			break;
	}
	return found;
}

/* Where in the table of our own the name is, with its symbol in *out, or the empty place where
 * it would be. */
static uint32_t *place_of(struct elf_symbol *out, const struct elf_image *image,
			  const char *name, uint32_t hash)
{
	const struct elf_symbols *symbols = &image->symbols;

	for (uint32_t at = hash >> 1;; at++) {
		uint32_t *place = &symbols->by_name[at & symbols->by_name_mask];

		if (!*place ||
		    (elf_image_symbol(out, image, *place) && has_name(out, name, hash)))
			return place;
	}
}

int elf_image_index(struct elf_image *image, struct hp_err *err)
{
	struct elf_symbols *symbols = &image->symbols;
	struct elf_symbol symbol, other;
	uint32_t size = 16;

	while (size < 2 * symbols->count)
		size *= 2;
	symbols->by_name = calloc(size, sizeof(*symbols->by_name));
	if (!symbols->by_name)
		return hp_err_set(err, HP_SYSTEM, 0,
				  "no memory for the symbols of an ELF file");
	symbols->by_name_mask = size - 1;
	for (size_t i = 1; i < symbols->count; i++) {
		if (!elf_image_symbol(&symbol, image, i))
			continue;
		uint32_t *place = place_of(&other, image, symbol.name, symbol.hash);

		if (!*place || is_better(&symbol, &other))
			*place = (uint32_t)i;
	}
	return 0;
}

bool elf_image_find(struct elf_symbol *out, const struct elf_image *image, const char *name)
{
	if (image->symbols.bucket_count)
		return find_in_bucket(out, image, name);
	return image->symbols.by_name && *place_of(out, image, name, name_hash(name));
}

/* ---- the image ---- */

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
	free(image->symbols.by_name);
	free(image->imports);
	free(image->segments);
	if (image->file)
		elf_file_fini(image->file);
	free(image->file);
	*image = (struct elf_image){0};
}

const struct elf_import *elf_image_import(const struct elf_image *image, const char *name,
					  const struct elf_import *after)
{
	size_t i = after ? (size_t)(after - image->imports) + 1 : 0;

	for (; i < image->import_count; i++) {
		const char *one = image->imports[i].name;

		/* Most differ at once: not to call anything for each of a thousand. */
		if (one[0] == name[0] && !strcmp(one, name))
			return &image->imports[i];
	}
	return NULL;
}

/* ---- by address ---- */

static uint64_t end_of(const struct elf_symbol *symbol)
{
	uint64_t end = symbol->value + symbol->size;

	return end < symbol->value ? UINT64_MAX : end;
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
bool elf_image_at(struct elf_symbol *out, const struct elf_image *image, uint64_t vaddr)
{
	struct elf_symbol symbol;
	bool found = false;

	for (size_t i = 1; i < image->symbols.count; i++) {
		if (elf_image_symbol(&symbol, image, i) && vaddr >= symbol.value &&
		    vaddr < end_of(&symbol) && (!found || is_nearer(&symbol, out))) {
			*out = symbol;
			found = true;
		}
	}
	return found;
}

/* ---- in order ---- */

enum { DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS };

/* One pass of a radix sort, stable: from by to, by the digit of (value - lowest) at shift. */
static void sort_by_digit(uint32_t *to, const uint32_t *from, size_t count,
			  const Elf64_Sym *items, uint64_t lowest, unsigned shift)
{
	size_t begin[DIGITS + 1] = {0};

	for (size_t i = 0; i < count; i++)
		begin[((items[from[i]].st_value - lowest) >> shift) % DIGITS + 1]++;
	for (size_t i = 0; i < DIGITS; i++)
		begin[i + 1] += begin[i];
	for (size_t i = 0; i < count; i++)
		to[begin[((items[from[i]].st_value - lowest) >> shift) % DIGITS]++] = from[i];
}

/* The addresses of a library have some 21 bits: three passes, a tenth of what qsort() takes. */
int elf_image_sort(uint32_t *numbers, size_t count, const struct elf_image *image,
		   struct hp_err *err)
{
	const Elf64_Sym *items = image->symbols.items;
	_cleanup_free_ uint32_t *sorted = malloc((count + 1) * sizeof(*sorted));
	uint64_t lowest = UINT64_MAX, highest = 0;

	if (!sorted)
		return hp_err_set(err, HP_SYSTEM, 0, "no memory to sort symbols");
	for (size_t i = 0; i < count; i++) {
		const uint64_t value = items[numbers[i]].st_value;

		lowest = value < lowest ? value : lowest;
		highest = value > highest ? value : highest;
	}
	for (unsigned shift = 0; count && shift < 64 && (highest - lowest) >> shift;
	     shift += DIGIT_BITS) {
		sort_by_digit(sorted, numbers, count, items, lowest, shift);
		memcpy(numbers, sorted, count * sizeof(*numbers));
	}
	return 0;
}
