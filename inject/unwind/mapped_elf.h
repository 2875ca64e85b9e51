/* SPDX-License-Identifier: MIT
 *
 * What the loaded image of an ELF file says of itself: its program headers, the table of its
 * unwind information, its dynamic section. Read from the target's memory, because the file may
 * be gone, and because the vDSO never had one. The bytes are foreign: every address is checked
 * to lie in the module.
 */
#ifndef INJECT_UNWIND_MAPPED_ELF_H
#define INJECT_UNWIND_MAPPED_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inject/elf/elf_image.h"

struct mapped_elf {
	uint64_t start, end; /* of the module */
	uint64_t bias;
	uint64_t table_hdr; /* .eh_frame_hdr; 0 when there is none that can be searched */
	uint64_t table;     /* its binary search table: pairs of 32-bit offsets */
	size_t table_count;
	uint64_t table_segment_end; /* of the PT_LOAD that holds it; .eh_frame lies there too */
	uint64_t dynamic;           /* 0 when there is none */
	size_t dynamic_count;
};

/* The image of the module [start, end). False when there is no ELF header for x86-64 there. A
 * table or dynamic section that makes no sense is left out. */
bool mapped_elf_read(struct mapped_elf *out, uint64_t start, uint64_t end, elf_memory_read read,
		     void *context);

/* The tables of what the loader filled in. */
struct mapped_relocations {
	uint64_t rela[2]; /* DT_RELA, DT_JMPREL; 0: none */
	size_t count[2];
};
bool mapped_elf_relocations(struct mapped_relocations *out, const struct mapped_elf *elf,
			    elf_memory_read read, void *context);

#endif
