/* SPDX-License-Identifier: MIT
 *
 * One ELF file's segments, dynamic symbols and imports, from a file or from the target's
 * memory. The only part that knows libelf. The bytes are foreign: every offset and count is
 * checked, and a part that makes no sense is an error or missing, never a read outside of the
 * file.
 */
#ifndef INJECT_ELF_ELF_IMAGE_H
#define INJECT_ELF_ELF_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inject/base/err.h"
#include "inject/base/span.h"

struct elf_symbol {
	const char *name; /* borrowed from the image */
	uint64_t value;   /* unrelocated: add the load bias */
	uint64_t size;
	uint32_t hash; /* name_hash() of the name, as the file has it */
	bool is_function, is_ifunc, is_weak;
	bool is_hidden; /* an old version of the name (memcpy@GLIBC_2.2.5), not what new code
			   gets */
};

/* A word (in the GOT) that the loader fills with the address of somebody's symbol of that name;
 * until a lazily bound function is first called it points back into the importing file. */
struct elf_import {
	const char *name; /* borrowed from the image */
	uint64_t slot;    /* unrelocated address of the word */
};

struct elf_segment {
	uint64_t vaddr, memsz, filesz, offset;
	bool read, write, exec;
};

/* The symbol table, and what finds a name in it, as the file has them. */
struct elf_symbols {
	const Elf64_Sym *items;   /* these are borrowed from the file */
	const uint16_t *versions; /* one each, or NULL */
	const char *strings;
	size_t count, strings_len; /* the last of the strings is ended */
	/* .gnu.hash: where in the table each bucket begins, and the hash of each symbol from
	 * first_hashed on, whose lowest bit ends the bucket. When bucket_count is 0, by_name
	 * stands for it. */
	const uint32_t *buckets, *hashes;
	size_t bucket_count, first_hashed;
	uint32_t *by_name; /* owned; open table: number of the name's default version */
	uint32_t by_name_mask;
};

struct elf_file;

struct elf_image {
	uint16_t machine;  /* EM_X86_64 ... */
	uint8_t elf_class; /* ELFCLASS32 / ELFCLASS64 */
	bool is_pie;       /* ET_DYN */
	struct elf_symbols symbols;
	/* Those of the PLT, malloc, and perhaps others of the GOT. */
	struct elf_import *imports;
	size_t import_count;
	struct elf_segment *segments; /* PT_LOAD */
	size_t segment_count;
	uint64_t eh_frame_hdr, eh_frame_hdr_size; /* unrelocated; 0 when there is none */
	uint64_t dynamic, dynamic_offset,
		dynamic_size; /* PT_DYNAMIC; size 0 when there is none */
	uint8_t build_id[32];
	size_t build_id_len;
	struct elf_file *file; /* owned; what the names and symbols point into */
};

/* Parse bytes (a whole file, or a snapshot of it laid out as in the file). Symbols come from
 * .dynsym; from .symtab only when there is no .dynsym (a static executable). A 32-bit file
 * yields its headers alone. The image keeps no reference to bytes, nor to fd. */
HP_MUST_CHECK int elf_image_parse(struct elf_image *out, struct span bytes, struct hp_err *err);
/* The same for the headers alone: no symbols, no imports. The first page of a file will do. */
HP_MUST_CHECK int elf_image_parse_headers(struct elf_image *out, struct span bytes,
					  struct hp_err *err);
/* Read the file behind fd. */
HP_MUST_CHECK int elf_image_read(struct elf_image *out, int fd, struct hp_err *err);
/* From loaded memory: `read` copies len bytes at addr (load bias already added) and returns 0
 * or -1; base is where the file's first byte is mapped. For files that were deleted or replaced
 * on disk, and for the vDSO. */
typedef int (*elf_memory_read)(void *context, uint64_t addr, void *out, size_t len);
HP_MUST_CHECK int elf_image_read_memory(struct elf_image *out, elf_memory_read read,
					void *context, uint64_t base, struct hp_err *err);
/* From what the loader has mapped into this process, beginning at base, for as long as it is
 * there: nothing is copied. */
HP_MUST_CHECK int elf_image_borrow(struct elf_image *out, const void *base, struct hp_err *err);
void elf_image_fini(struct elf_image *image);

/* What to add to a symbol's value when the file's first byte is mapped at base. */
uint64_t elf_image_bias(const struct elf_image *image, uint64_t base);

/* The symbol of that number; false when it is not defined, or no function, data or place. */
bool elf_image_symbol(struct elf_symbol *out, const struct elf_image *image, size_t number);
/* The name of the function of that number, of symbols.count, and its name_hash(); NULL when it
 * is none that is defined and has a size. Cheap: for a look at all of them. */
const char *elf_image_function(uint32_t *hash, const struct elf_image *image, size_t number);
/* The defined symbol of that name (its default version), if there is one. */
bool elf_image_find(struct elf_symbol *out, const struct elf_image *image, const char *name);
/* The import of that name, starting the search behind `after` (NULL: at the first), or NULL. */
const struct elf_import *elf_image_import(const struct elf_image *image, const char *name,
					  const struct elf_import *after);
/* The symbol whose [value, value + size) holds vaddr, if there is one: never "the nearest
 * before". Slow. */
bool elf_image_at(struct elf_symbol *out, const struct elf_image *image, uint64_t vaddr);
/* Sorts the numbers of symbols by rising value, those of equal value as they were. */
HP_MUST_CHECK int elf_image_sort(uint32_t *numbers, size_t count, const struct elf_image *image,
				 struct hp_err *err);

#endif
