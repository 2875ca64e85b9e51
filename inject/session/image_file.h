/* SPDX-License-Identifier: MIT
 *
 * The payload's file, open or in memory, and its segments at their places. An open one is
 * mapped, as the loader maps the program itself: read to memory that the kernel must find and
 * clear first, it took half of the time that linking takes.
 */
#ifndef INJECT_SESSION_IMAGE_FILE_H
#define INJECT_SESSION_IMAGE_FILE_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include "inject/base/err.h"
#include "inject/session/image.h"

#define IMAGE_PAGE 4096u
#define IMAGE_MAX  (16u << 20)

struct image_file {
	int fd;               /* -1: bytes */
	const uint8_t *bytes; /* borrowed */
	uint64_t size;
};

/* Fills in the image's bytes and sizes, and gives the program headers, to be freed. */
HP_MUST_CHECK int image_file_load(struct image *image, Elf64_Phdr **phdrs_out,
				  size_t *count_out, const struct image_file *file,
				  struct hp_err *err);

/* The file is not what we made. Returns -1. */
int image_damaged(struct hp_err *err, const char *what);

#endif
