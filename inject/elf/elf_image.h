/* SPDX-License-Identifier: MIT
 *
 * One ELF file's dynamic symbols and segments, from a file or from the target's memory. The only
 * part that knows libelf. The bytes are foreign: every offset and count is checked.
 */
#ifndef INJECT_ELF_ELF_IMAGE_H
#define INJECT_ELF_ELF_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inject/base/err.h"
#include "inject/base/span.h"

struct elf_symbol {
	const char *name; /* borrowed from the image */
	uint64_t value;   /* unrelocated: add the load bias */
	uint64_t size;
	bool is_function, is_ifunc, is_weak;
};

struct elf_segment {
	uint64_t vaddr, memsz, filesz, offset;
	bool read, write, exec;
};

struct elf_image {
	uint16_t machine; /* EM_X86_64 ... */
	uint8_t elf_class; /* ELFCLASS32 / ELFCLASS64 */
	bool is_pie; /* ET_DYN */
	struct elf_symbol *symbols; /* defined ones only, sorted by name */
	size_t symbol_count;
	struct elf_symbol **by_value; /* the same, sorted by value */
	struct elf_segment *segments; /* PT_LOAD */
	size_t segment_count;
	uint64_t eh_frame_hdr, eh_frame_hdr_size; /* unrelocated; 0 when there is none */
	uint8_t build_id[32];
	size_t build_id_len;
	void *priv;
};

/* Parse bytes (a whole file, or a snapshot of it laid out as in the file). Symbols come from
 * .dynsym, and from .symtab where the file has one. The image keeps no reference to bytes. */
HP_MUST_CHECK int elf_image_parse(struct elf_image *out, struct span bytes, struct hp_err *err);
/* Read the file behind fd. */
HP_MUST_CHECK int elf_image_read(struct elf_image *out, int fd, struct hp_err *err);
/* From loaded memory: `read` copies len bytes at vaddr (load bias already added) and returns 0 or -1.
 * Only dynamic symbols. For files that were deleted or replaced on disk. */
typedef int (*elf_memory_read)(void *context, uint64_t addr, void *out, size_t len);
HP_MUST_CHECK int elf_image_read_memory(struct elf_image *out, elf_memory_read read, void *context,
					uint64_t base, struct hp_err *err);
void elf_image_fini(struct elf_image *image);

/* The defined symbol of that name, or NULL. */
const struct elf_symbol *elf_image_find(const struct elf_image *image, const char *name);
/* The symbol whose [value, value + size) holds vaddr, or NULL: never "the nearest before". */
const struct elf_symbol *elf_image_at(const struct elf_image *image, uint64_t vaddr);

#endif
