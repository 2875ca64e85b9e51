/* SPDX-License-Identifier: MIT
 *
 * The seam to libelf, for elf_image.c alone: an opened ELF file, its headers, and checked
 * access to its bytes. What elf_file_chunk() returns is inside the file, aligned and in our
 * byte order.
 */
#ifndef INJECT_ELF_ELF_FILE_H
#define INJECT_ELF_ELF_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "inject/base/err.h"
#include "inject/base/span.h"
#include "inject/elf/elf_image.h"

struct Elf;

struct elf_file {
	struct Elf *elf;
	uint8_t *bytes; /* what libelf works on when it is not a file; owned */
	/* Mapped into this process: its headers, borrowed, and what to add to an address. */
	const struct elf_image *mapped;
	uint64_t bias;
};

/* The element type tells libelf what to swap when the file has the other byte order. */
enum elf_chunk {
	ELF_CHUNK_BYTES,
	ELF_CHUNK_HALF,
	ELF_CHUNK_WORD,
	ELF_CHUNK_DYN,
	ELF_CHUNK_SYM,
	ELF_CHUNK_RELA
};

/* fd is borrowed and must stay open until elf_file_detach(). */
HP_MUST_CHECK int elf_file_open(struct elf_file *out, int fd, struct hp_err *err);
HP_MUST_CHECK int elf_file_from_bytes(struct elf_file *out, struct span bytes,
				      struct hp_err *err);
/* The same without a copy: *bytes (from malloc) is taken over, also on failure. */
HP_MUST_CHECK int elf_file_take_bytes(struct elf_file *out, uint8_t **bytes, size_t len,
				      struct hp_err *err);
/* A file that the loader has mapped into this process, without a copy: what elf_file_chunk()
 * returns is where it is mapped. */
void elf_file_map(struct elf_file *out, const struct elf_image *headers, uint64_t bias);
/* No other chunks are wanted: fd may be closed. */
void elf_file_detach(struct elf_file *file);
void elf_file_fini(struct elf_file *file);

/* Fill everything of *image that is not symbols or imports. */
HP_MUST_CHECK int elf_file_headers(const struct elf_file *file, struct elf_image *image,
				   struct hp_err *err);

/* len bytes at a file offset, owned by the file; NULL when they are not all there. */
const void *elf_file_chunk(const struct elf_file *file, uint64_t offset, uint64_t len,
			   enum elf_chunk type);

/* Where .symtab and its strings are in the file. */
struct elf_symtab {
	uint64_t offset, size, strings_offset, strings_size;
};
bool elf_file_symtab(const struct elf_file *file, struct elf_symtab *out);

#endif
