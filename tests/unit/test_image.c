/* SPDX-License-Identifier: MIT
 *
 * Our own dynamic linker, on the real payload and on damaged copies of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/session/image.h"

static uint8_t *file;
static size_t file_len;

static void read_payload(void)
{
	FILE *f = fopen(getenv("PYHOTPATCH_PAYLOAD"), "rb");

	cr_assert(ne(ptr, f, NULL), "PYHOTPATCH_PAYLOAD must name the built payload");
	file = malloc(1 << 20);
	file_len = fread(file, 1, 1 << 20, f);
	fclose(f);
}

static void forget_payload(void)
{
	free(file);
}

TestSuite(image, .init = read_payload, .fini = forget_payload);

static remote_addr everything(const void *context, const char *name)
{
	(void)context;
	return addr_of(0x10000000 + strlen(name));
}

static remote_addr nothing(const void *context, const char *name)
{
	(void)context;
	(void)name;
	return addr_of(0);
}

Test(image, links_the_payload)
{
	struct image image;
	struct hp_err err = {0};

	cr_assert(eq(int,
		     image_parse(&image, (struct span){file, file_len}, everything, NULL, &err),
		     0),
		  "%s", err.text);
	cr_assert(lt(sz, 10, image.reloc_count));
	cr_assert(eq(sz, image.text_size % 4096, 0));
	cr_assert(lt(u64, image.launch, image.text_size));
	cr_assert(lt(u64, image.lend, image.text_size));
	cr_assert(ne(u64, image.lend, image.launch));
	uint8_t *copy = malloc(image.size);
	memcpy(copy, image.bytes, image.size);
	image_relocate(&image, copy, addr_of(0x7f0000000000));
	cr_assert(eq(int, memcmp(copy, image.bytes, image.text_size), 0),
		  "text must not be relocated");
	cr_assert(ne(int, memcmp(copy, image.bytes, image.size), 0));
	free(copy);
	image_fini(&image);
}

Test(image, a_missing_function_is_named)
{
	struct image image;
	struct hp_err err;

	cr_assert(eq(int,
		     image_parse(&image, (struct span){file, file_len}, nothing, NULL, &err),
		     -1));
	cr_assert(eq(int, err.kind, HP_UNSUPPORTED));
	cr_assert(ne(ptr, strstr(err.text, "the interpreter offers no "), NULL));
}

Test(image, every_truncation_is_an_error_or_harmless)
{
	for (size_t len = 0; len < file_len; len += len < 4096 ? 7 : 997) {
		uint8_t *cut = malloc(len + 1);
		struct image image;
		struct hp_err err;

		memcpy(cut, file, len);
		if (image_parse(&image, (struct span){cut, len}, everything, NULL, &err) == 0)
			image_fini(&image);
		else
			cr_assert(eq(int, err.kind, HP_INTERNAL));
		free(cut);
	}
}

Test(image, flipped_bytes_never_crash)
{
	unsigned seed = 1;

	for (int round = 0; round < 3000; round++) {
		struct image image;
		struct hp_err err;
		uint8_t *broken = malloc(file_len);

		memcpy(broken, file, file_len);
		for (int flips = 0; flips < 4; flips++) {
			seed = seed * 1103515245u + 12345u;
			size_t range = round % 2 ? 1024 : file_len; /* headers more often */
			broken[(seed >> 8) % range] ^= (uint8_t)(1u << (seed & 7));
		}
		if (image_parse(&image, (struct span){broken, file_len}, everything, NULL,
				&err) == 0)
			image_fini(&image);
		free(broken);
	}
}
