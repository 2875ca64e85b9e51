/* SPDX-License-Identifier: MIT
 *
 * The same bytes as a file, and as what is mapped in a process.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "inject/elf/elf_image.h"

/* Freed memory is kept back for finding late uses; emptying the default 256 MiB of it at once
 * takes longer than an input's time limit on a loaded machine. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=16";
}

#define BASE 0x7f0000000000u

static int read_span(void *context, uint64_t addr, void *out, size_t len)
{
	const struct span *bytes = context;

	if (addr < BASE || addr - BASE > bytes->len || len > bytes->len - (addr - BASE))
		return -1;
	memcpy(out, bytes->data + (addr - BASE), len);
	return 0;
}

/* What .gnu.hash has under another hash, in another bucket or not at all is not found by its
 * name: the loader would not find it either. */
static bool is_findable(const struct elf_image *image)
{
	return image->symbols.bucket_count == 0;
}

static void check(const struct elf_image *image)
{
	struct elf_symbol symbol, found;

	for (size_t i = 0; i < image->symbols.count; i++) {
		if (!elf_image_symbol(&symbol, image, i))
			continue;
		if (elf_image_find(&found, image, symbol.name)
			    ? strcmp(found.name, symbol.name) != 0
			    : is_findable(image))
			abort();
		if (elf_image_at(&found, image, symbol.value) &&
		    (found.value > symbol.value || !found.size))
			abort();
	}
	for (size_t i = 0; i < image->import_count; i++) {
		if (!elf_image_import(image, image->imports[i].name, NULL))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = {data, size};
	struct elf_image image;
	struct hp_err err;

	if (elf_image_parse(&image, bytes, &err) == 0) {
		check(&image);
		elf_image_fini(&image);
	}
	if (elf_image_parse_headers(&image, bytes, &err) == 0)
		elf_image_fini(&image);
	if (elf_image_read_memory(&image, read_span, &bytes, BASE, &err) == 0) {
		check(&image);
		elf_image_fini(&image);
	}
	return 0;
}
