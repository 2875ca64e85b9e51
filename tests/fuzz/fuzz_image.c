/* SPDX-License-Identifier: MIT
 *
 * Any bytes as the payload's file. What is accepted must lie inside of the image: the entries
 * in its text, each relocation in its data.
 */
#include <stdlib.h>

#include "inject/session/image.h"

static remote_addr lookup(const void *context, const char *name)
{
	(void)context;
	return addr_of(name[0] ? 0x7f0000001000u : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image image;
	struct hp_err err;
	uint8_t *copy;

	if (image_parse(&image, (struct span){data, size}, lookup, NULL, &err) < 0)
		return 0;
	if (image.text_size > image.size || image.size > image.loaded ||
	    image.launch >= image.text_size || image.lend >= image.text_size ||
	    image.enter < image.early || image.work < image.early)
		abort();
	for (size_t i = 0; i < image.reloc_count; i++)
		if (image.relocs[i].at < image.text_size ||
		    image.relocs[i].at + sizeof(uint64_t) > image.size)
			abort();
	copy = malloc(image.size);
	if (copy)
		image_relocate(&image, copy, addr_of(0x7f1234560000u));
	free(copy);
	image_fini(&image);
	return 0;
}
