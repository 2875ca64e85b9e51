/* SPDX-License-Identifier: MIT
 *
 * See functions.h. Of libc's 3000 functions some 120 have a name that is in the way; they are
 * looked for before each attach, and so mostly by what .gnu.hash has of them.
 *
 * The invariant: what is passed over has neither a name of the tables nor a prefix of theirs.
 */
#include "inject/unwind/functions.h"

#include <errno.h>
#include <stdlib.h>

/* ---- those that matter ---- */

/* That symbol, if it matters by its name. */
static void named_take(struct functions *functions, const struct safepoint_names *names,
		       size_t number)
{
	const struct elf_image *image = &functions->module->image;
	const Elf64_Sym *sym = &image->symbols.items[number];
	enum name_class class;
	uint32_t hash;
	const char *name = elf_image_function(&hash, image, number);

	if (!name)
		return;
	class = safepoint_name_class(names, name, hash);
	if (class == NAME_OTHER && ELF64_ST_BIND(sym->st_info) == STB_LOCAL)
		class = safepoint_part_class(names, name);
	if (class == NAME_OTHER)
		return;
	functions->classes[number] = (uint8_t) class;
	functions->numbers[functions->count++] = (uint32_t)number;
	if (!name_class_is_of_malloc_o(class) && class != NAME_THREADS)
		return;
	if (sym->st_value < functions->near_start)
		functions->near_start = sym->st_value;
	if (sym->st_value + sym->st_size > functions->near_end)
		functions->near_end = sym->st_value + sym->st_size;
}

/* Most by their hashes and first letters, where there are hashes: all exported ones are there.
 */
static void find_named(struct functions *functions, const struct safepoint_names *names)
{
	const struct elf_symbols symbols = functions->module->image.symbols;
	const size_t hashed = symbols.bucket_count ? symbols.first_hashed : symbols.count;

	for (size_t i = 0; i < hashed && i < symbols.count; i++)
		named_take(functions, names, i);
	for (size_t i = hashed; i < symbols.count; i++) {
		const size_t at = symbols.items[i].st_name;

		if (at + 4 > symbols.strings_len ||
		    safepoint_name_may_matter(names, symbols.hashes[i - hashed],
					      symbols.strings + at))
			named_take(functions, names, i);
	}
}

/* Those that are as near as unnamed code around one of the others may reach. */
static void find_neighbours(struct functions *functions)
{
	const struct elf_image *image = &functions->module->image;
	const uint64_t start = functions->near_start,
		       end = functions->near_end + FUNCTIONS_GAP_MAX;
	const size_t count = image->symbols.count;
	const Elf64_Sym *sym = image->symbols.items;
	uint32_t hash;

	for (size_t i = 0; i < count; i++, sym++)
		if ((sym->st_value < end) &
		    (sym->st_value + sym->st_size + FUNCTIONS_GAP_MAX > start))
			if (functions->classes[i] == NAME_OTHER &&
			    elf_image_function(&hash, image, i))
				functions->numbers[functions->count++] = (uint32_t)i;
}

int functions_find(struct functions *out, const struct safepoint_names *names,
		   const struct module *module, struct hp_err *err)
{
	const size_t count = module->image.symbols.count;

	_Static_assert(NAME_OTHER == 0, "classes");
	*out = (struct functions){.module = module,
				  .classes = calloc(count + 1, sizeof(*out->classes)),
				  .numbers = malloc((count + 1) * sizeof(*out->numbers)),
				  .near_start = UINT64_MAX};
	if (!out->classes || !out->numbers)
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "list libc's functions");
	find_named(out, names);
	find_neighbours(out);
	return elf_image_sort(out->numbers, out->count, &module->image, err);
}

void functions_fini(struct functions *functions)
{
	free(functions->classes);
	free(functions->numbers);
}

/* ---- those that are allowed ---- */

bool functions_allow(const struct module *module, remote_addr addr)
{
	const struct elf_image *image = &module->image;
	const uint64_t place = addr.v - module->bias;
	uint32_t hash;

	for (size_t i = 0; i < image->symbols.count; i++) {
		const Elf64_Sym *sym = &image->symbols.items[i];
		const char *name;

		if (place - sym->st_value >= sym->st_size)
			continue;
		name = elf_image_function(&hash, image, i);
		if (name && safepoint_name_is_allowed(name))
			return true;
	}
	return false;
}
