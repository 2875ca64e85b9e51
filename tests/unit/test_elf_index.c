/* SPDX-License-Identifier: MIT
 *
 * Finding symbols by name and putting them in order, whatever the file has for it.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/cleanup.h"
#include "inject/base/name_hash.h"
#include "inject/elf/elf_image.h"
#include "inject/elf/elf_index.h"

static void read_libc(struct elf_image *out)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	struct hp_err err = {0};
	Dl_info info;

	cr_assert(ne(ptr, libc, NULL));
	cr_assert(ne(int, dladdr(dlsym(libc, "munmap"), &info), 0));
	_cleanup_fd_ int fd = open(info.dli_fname, O_RDONLY | O_CLOEXEC);
	cr_assert(eq(int, elf_image_read(out, fd, &err), 0), "%s", err.text);
	dlclose(libc);
}

/* By the file's own table of hashes, and by one that we make of a file without. */
Test(elf, both_ways_find_the_same)
{
	struct elf_image image, other;
	size_t functions = 0;

	read_libc(&image);
	cr_assert(lt(sz, 0, image.symbols.bucket_count));
	other = image;
	other.symbols.bucket_count = 0;
	cr_assert(eq(int, elf_image_index(&other, &(struct hp_err){0}), 0));
	for (size_t i = 0; i < image.symbols.count; i++) {
		struct elf_symbol symbol, a, b;

		if (!elf_image_symbol(&symbol, &image, i))
			continue;
		functions += symbol.is_function;
		cr_assert(eq(u32, symbol.hash, name_hash(symbol.name)));
		cr_assert(elf_image_find(&a, &image, symbol.name), "%s", symbol.name);
		cr_assert(elf_image_find(&b, &other, symbol.name), "%s", symbol.name);
		cr_assert(eq(u64, a.value, b.value), "%s", symbol.name);
		cr_assert(eq(str, a.name, symbol.name));
	}
	cr_assert(lt(sz, 1000, functions));
	free(other.symbols.by_name);
	elf_image_fini(&image);
}

/* Values as no linker makes them: all bits count. */
Test(elf, far_apart_values_are_sorted)
{
	const Elf64_Sym items[] = {
		{.st_value = UINT64_MAX}, {.st_value = 1}, {.st_value = 1ull << 63},
		{.st_value = 1ull << 40}, {.st_value = 0},
	};
	const uint32_t expected[] = {4, 1, 3, 2, 0};
	const struct elf_image image = {.symbols = {.items = items, .count = 5}};
	uint32_t numbers[] = {0, 1, 2, 3, 4};

	cr_assert(zero(int, elf_image_sort(numbers, 5, &image, &(struct hp_err){0})));
	cr_assert(zero(int, memcmp(numbers, expected, sizeof(numbers))));
}
