/* SPDX-License-Identifier: MIT
 *
 * Headers of a mapped ELF file: this very process's, and spoiled copies of it. The memory ends
 * where the copy ends; a read beyond is refused and counted.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/unwind/mapped_elf.h"

#define BASE 0x400000u
#define HDR  0x1000u /* of .eh_frame_hdr, from BASE */
#define DYN  0x2000u
#define RELA 0x3000u
#define LEN  0x4000u

struct memory {
	uint8_t bytes[LEN];
	size_t outside;
};

static int read_memory(void *context, uint64_t addr, void *out, size_t len)
{
	struct memory *memory = context;

	if (addr < BASE || addr - BASE >= LEN || len > LEN - (addr - BASE)) {
		memory->outside++;
		return -1;
	}
	memcpy(out, memory->bytes + (addr - BASE), len);
	return 0;
}

static void put(struct memory *memory, size_t at, const void *bytes, size_t len)
{
	memcpy(memory->bytes + at, bytes, len);
}

static void put_dyn(struct memory *memory, size_t i, int64_t tag, uint64_t value)
{
	const Elf64_Dyn entry = {.d_tag = tag, .d_un.d_val = value};

	put(memory, DYN + i * sizeof(entry), &entry, sizeof(entry));
}

static struct memory *image_new(void)
{
	struct memory *memory = calloc(1, sizeof(*memory));
	const Elf64_Ehdr head = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB},
		.e_machine = EM_X86_64,
		.e_phoff = sizeof(head),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 3,
	};
	const Elf64_Phdr segments[] = {
		{.p_type = PT_LOAD, .p_memsz = LEN, .p_filesz = LEN},
		{.p_type = PT_GNU_EH_FRAME, .p_vaddr = HDR, .p_memsz = 28},
		{.p_type = PT_DYNAMIC, .p_vaddr = DYN, .p_memsz = 4 * sizeof(Elf64_Dyn)},
	};
	const uint8_t table[] = {1, 0x1b, 0x03, 0x3b, 0, 0, 0, 0, 2, 0, 0, 0};

	put(memory, 0, &head, sizeof(head));
	put(memory, sizeof(head), segments, sizeof(segments));
	put(memory, HDR, table, sizeof(table));
	put_dyn(memory, 0, DT_RELA, RELA);
	put_dyn(memory, 1, DT_RELASZ, 2 * sizeof(Elf64_Rela));
	return memory;
}

static bool parse(struct memory *memory, struct mapped_elf *out)
{
	return mapped_elf_read(out, BASE, BASE + LEN, read_memory, memory);
}

Test(mapped_elf, whole)
{
	struct memory *memory = image_new();
	struct mapped_relocations relocations;
	struct mapped_elf elf;

	cr_assert(parse(memory, &elf));
	cr_expect(eq(u64, elf.bias, BASE));
	cr_expect(eq(u64, elf.table_hdr, BASE + HDR));
	cr_expect(eq(sz, elf.table_count, 2));
	cr_expect(eq(u64, elf.table_segment_end, BASE + LEN));
	cr_assert(mapped_elf_relocations(&relocations, &elf, read_memory, memory));
	cr_expect(eq(u64, relocations.rela[0], BASE + RELA));
	cr_expect(eq(sz, relocations.count[0], 2));
	cr_expect(eq(sz, relocations.count[1], 0));
	cr_expect(eq(sz, memory->outside, 0));
	free(memory);
}

Test(mapped_elf, relocated_in_place)
{
	struct memory *memory = image_new();
	struct mapped_relocations relocations;
	struct mapped_elf elf;

	put_dyn(memory, 0, DT_JMPREL, BASE + RELA);
	put_dyn(memory, 1, DT_PLTRELSZ, sizeof(Elf64_Rela));
	cr_assert(parse(memory, &elf));
	cr_assert(mapped_elf_relocations(&relocations, &elf, read_memory, memory));
	cr_expect(eq(u64, relocations.rela[1], BASE + RELA));
	cr_expect(eq(sz, relocations.count[1], 1));
	free(memory);
}

Test(mapped_elf, no_elf)
{
	static const size_t spoiled[] = {0, EI_CLASS, offsetof(Elf64_Ehdr, e_machine),
					 offsetof(Elf64_Ehdr, e_phentsize)};

	for (size_t i = 0; i < sizeof(spoiled) / sizeof(spoiled[0]); i++) {
		struct memory *memory = image_new();
		struct mapped_elf elf;

		memory->bytes[spoiled[i]] ^= 1;
		cr_expect(not(parse(memory, &elf)), "byte %zu", spoiled[i]);
		free(memory);
	}
}

Test(mapped_elf, too_many_segments)
{
	struct memory *memory = image_new();
	struct mapped_elf elf;
	const uint16_t many = 0xffff;

	put(memory, offsetof(Elf64_Ehdr, e_phnum), &many, sizeof(many));
	cr_expect(not(parse(memory, &elf)));
	free(memory);
}

Test(mapped_elf, headers_outside_of_the_module)
{
	struct memory *memory = image_new();
	struct mapped_elf elf;
	const uint64_t far = (uint64_t)-64;

	put(memory, offsetof(Elf64_Ehdr, e_phoff), &far, sizeof(far));
	cr_expect(not(parse(memory, &elf)));
	cr_expect(eq(sz, memory->outside, 0));
	free(memory);
}

Test(mapped_elf, table_that_claims_too_much)
{
	struct memory *memory = image_new();
	struct mapped_elf elf;

	memset(memory->bytes + HDR + 8, 0xff, 4); /* its count */
	cr_assert(parse(memory, &elf));
	cr_expect(eq(u64, elf.table_hdr, 0));
	free(memory);
}

Test(mapped_elf, table_in_another_encoding)
{
	struct memory *memory = image_new();
	struct mapped_elf elf;

	memory->bytes[HDR + 3] = 0xff; /* DW_EH_PE_omit */
	cr_assert(parse(memory, &elf));
	cr_expect(eq(u64, elf.table_hdr, 0));
	free(memory);
}

Test(mapped_elf, relocations_that_claim_too_much)
{
	struct memory *memory = image_new();
	struct mapped_relocations relocations;
	struct mapped_elf elf;

	put_dyn(memory, 1, DT_RELASZ, UINT64_MAX);
	cr_assert(parse(memory, &elf));
	cr_expect(not(mapped_elf_relocations(&relocations, &elf, read_memory, memory)));
	free(memory);
}

Test(mapped_elf, garbage)
{
	uint64_t seed = 88172645463325252ull;

	for (int round = 0; round < 2000; round++) {
		struct memory *memory = image_new();
		struct mapped_relocations relocations;
		struct mapped_elf elf;

		for (int i = 0; i < 8; i++) { /* xorshift: the same garbage in each run */
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			memory->bytes[seed % 320] = (uint8_t)(seed >> 32);
		}
		if (parse(memory, &elf)) {
			(void)mapped_elf_relocations(&relocations, &elf, read_memory, memory);
			cr_assert(le(u64, elf.table_hdr, BASE + LEN));
			cr_assert(le(u64, elf.table_segment_end, BASE + LEN));
		}
		cr_assert(eq(sz, memory->outside, 0));
		free(memory);
	}
}
