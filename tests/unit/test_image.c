/* SPDX-License-Identifier: MIT
 *
 * Our own dynamic linker, on the real payload and on damaged copies of it.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/session/image.h"
#include "inject/session/image_file.h"

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
	cr_assert(lt(sz, image.size, image.loaded), "the target gets no tables");
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

static void load(struct image *image, const struct image_file *from)
{
	struct hp_err err = {0};
	Elf64_Phdr *phdrs;
	size_t count;

	cr_assert(eq(int, image_file_load(image, &phdrs, &count, from, &err), 0), "%s",
		  err.text);
	free(phdrs);
}

Test(image, a_mapped_file_is_what_was_read)
{
	const struct image_file read = {.fd = -1, .bytes = file, .size = file_len};
	const struct image_file open_file = {
		.fd = open(getenv("PYHOTPATCH_PAYLOAD"), O_RDONLY | O_CLOEXEC),
		.size = file_len};
	struct image a = {0}, b = {0};

	load(&a, &read);
	load(&b, &open_file);
	cr_assert(eq(sz, a.size, b.size));
	cr_assert(eq(sz, a.loaded, b.loaded));
	cr_expect(eq(int, memcmp(a.bytes, b.bytes, a.size), 0));
	b.bytes[b.text_size] ^= 1; /* a copy of ours */
	image_fini(&b);
	load(&b, &open_file);
	cr_expect(eq(int, memcmp(a.bytes, b.bytes, a.size), 0));
	image_fini(&a);
	image_fini(&b);
	close(open_file.fd);
}

Test(image, a_file_that_is_shorter_than_it_says)
{
	FILE *cut = tmpfile();
	struct image image = {0};
	struct hp_err err;
	Elf64_Phdr *phdrs;
	size_t count;

	cr_assert(ne(ptr, cut, NULL));
	cr_assert(eq(sz, fwrite(file, 1, 8192, cut), 8192));
	fflush(cut);
	const struct image_file short_file = {.fd = fileno(cut), .size = 8192};
	cr_assert(eq(int, image_file_load(&image, &phdrs, &count, &short_file, &err), -1));
	cr_expect(ne(ptr, strstr(err.text, "ends after the file"), NULL), "%s", err.text);
	image_fini(&image);
	fclose(cut);
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

/* The smallest file of the payload's shape: a page of text, one of data, one of tables. */
#define DATA   0x1000u
#define TABLES 0x2000u
#define NAMES  "\0payload_launch\0payload_enter\0payload_lend\0payload_work\0payload_early"

struct small {
	union {
		struct {
			Elf64_Ehdr ehdr;
			Elf64_Phdr phdrs[5];
		};
		uint8_t text[DATA];
	};
	union {
		Elf64_Dyn dynamic[8];
		uint64_t data[(TABLES - DATA) / 8];
	};
	Elf64_Sym symbols[6];
	uint32_t hash[2];
	char names[sizeof(NAMES)];
	_Alignas(8) uint64_t packed[8];
};

#define AT(member) offsetof(struct small, member)

static Elf64_Phdr segment(uint32_t type, uint32_t flags, uint64_t from, uint64_t to)
{
	return (Elf64_Phdr){.p_type = type,
			    .p_flags = flags,
			    .p_offset = from,
			    .p_vaddr = from,
			    .p_filesz = to - from,
			    .p_memsz = to - from};
}

static struct small small_with(const uint64_t *packed, size_t count)
{
	struct small f = {
		.ehdr = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64},
			 .e_type = ET_DYN,
			 .e_machine = EM_X86_64,
			 .e_phoff = AT(phdrs),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 4},
		.phdrs = {segment(PT_LOAD, PF_R | PF_X, 0, DATA),
			  segment(PT_LOAD, PF_R | PF_W, DATA, TABLES),
			  segment(PT_LOAD, PF_R, TABLES, sizeof(f)),
			  segment(PT_DYNAMIC, PF_R | PF_W, DATA, DATA + sizeof(f.dynamic))},
		.dynamic = {{DT_SYMTAB, {AT(symbols)}},
			    {DT_STRTAB, {AT(names)}},
			    {DT_STRSZ, {sizeof(NAMES)}},
			    {DT_HASH, {AT(hash)}},
			    {DT_RELR, {AT(packed)}},
			    {DT_RELRSZ, {count * sizeof(*packed)}}},
		.symbols = {{0},
			    {.st_name = 1, .st_shndx = 1, .st_value = 0x800},
			    {.st_name = 16, .st_shndx = 1, .st_value = 0x810},
			    {.st_name = 30, .st_shndx = 1, .st_value = 0x820},
			    {.st_name = 43, .st_shndx = 1, .st_value = 0x830},
			    {.st_name = 56, .st_shndx = 1, .st_value = 0x7f0}},
		.hash = {1, 6},
		.names = NAMES,
	};

	for (size_t i = 32; i < sizeof(f.data) / sizeof(*f.data); i++)
		f.data[i] = i;
	memcpy(f.packed, packed, count * sizeof(*packed));
	return f;
}

static int parse_small(struct image *image, const struct small *f, struct hp_err *err)
{
	return image_parse(image, (struct span){(const uint8_t *)f, sizeof(*f)}, everything,
			   NULL, err);
}

Test(image, packed_relocations)
{
	/* A place, of the 126 words behind it the first, the 63rd and the 65th, and the last of
	 * the data. */
	const uint64_t packed[] = {DATA + 40 * 8, 1 | 1ull << 1 | 1ull << 63, 1 | 1ull << 2,
				   TABLES - 8};
	const size_t places[] = {40, 41, 103, 105, 511};
	const struct small f = small_with(packed, 4);
	uint64_t copy[TABLES / 8];
	struct image image;
	struct hp_err err = {0};

	cr_assert(eq(int, parse_small(&image, &f, &err), 0), "%s", err.text);
	cr_assert(eq(sz, image.text_size, DATA));
	cr_assert(eq(sz, image.size, TABLES), "the tables are not for the target");
	cr_assert(eq(sz, image.reloc_count, 5));
	memcpy(copy, image.bytes, sizeof(copy));
	image_relocate(&image, (uint8_t *)copy, addr_of(0x70000));
	for (size_t i = 32, n = 0; i < 512; i++) {
		const bool is_place = n < 5 && places[n] == i;

		cr_assert(eq(u64, copy[DATA / 8 + i], i + (is_place ? 0x70000 : 0)));
		n += is_place;
	}
	image_fini(&image);
}

Test(image, packed_relocations_that_are_damaged)
{
	static const uint64_t broken[][2] = {
		{0x800, 0},                        /* in the text */
		{TABLES, 0},                       /* in the tables */
		{TABLES - 4, 0},                   /* not aligned, and across the border */
		{DATA + 4, 0},                     /* not aligned */
		{3, 0},                            /* bits, and no place before them */
		{TABLES - 8, 3},                   /* bits for words behind the data */
		{DATA + 320, DATA + 312},          /* backwards */
		{DATA + 320, DATA + 320},          /* twice */
		{UINT64_MAX - 7, 1},               /* the next place would be 0 */
		{UINT64_MAX - 7, UINT64_MAX - 63}, /* and no end of them */
	};

	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		const struct small f = small_with(broken[i], broken[i][1] ? 2 : 1);
		struct image image;
		struct hp_err err;

		cr_assert(eq(int, parse_small(&image, &f, &err), -1), "row %zu", i);
		cr_assert(eq(int, err.kind, HP_INTERNAL), "row %zu", i);
	}
}

Test(image, a_table_of_packed_relocations_that_is_not_there)
{
	const uint64_t packed[] = {DATA + 320};
	const Elf64_Xword wrong[][2] = {
		{sizeof(struct small) + 4096, 8}, /* behind the file */
		{AT(packed) + 4, 8},              /* not aligned */
		{AT(packed), UINT64_MAX},         /* longer than the file */
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct small f = small_with(packed, 1);
		struct image image;
		struct hp_err err;

		f.dynamic[4].d_un.d_ptr = wrong[i][0];
		f.dynamic[5].d_un.d_val = wrong[i][1];
		cr_assert(eq(int, parse_small(&image, &f, &err), -1), "row %zu", i);
		cr_assert(eq(int, err.kind, HP_INTERNAL), "row %zu", i);
	}
}

Test(image, an_entry_that_would_be_written_later)
{
	const uint64_t packed[] = {DATA + 320};

	for (size_t i = 1; i < 5; i++) {
		struct small f = small_with(packed, 1);
		struct image image;
		struct hp_err err;

		f.symbols[i].st_value = f.symbols[5].st_value - 1;
		cr_assert(eq(int, parse_small(&image, &f, &err), -1), "row %zu", i);
		cr_assert(eq(int, err.kind, HP_INTERNAL), "row %zu", i);
		cr_assert(ne(ptr, strstr(err.text, "written later"), NULL), "%s", err.text);
	}
}

Test(image, segments_in_another_order)
{
	static const struct {
		uint32_t flags[4];
		const char *why;
	} wrong[] = {
		{{PF_R | PF_X, PF_R | PF_W, PF_R | PF_X, PF_R}, "text after data"},
		{{PF_R | PF_X, PF_R | PF_W, PF_R, PF_R | PF_W}, "data after tables"},
		{{PF_R | PF_X, PF_R | PF_W, PF_R, PF_R | PF_X}, "text after data"},
		{{PF_R | PF_X, PF_R | PF_W | PF_X, PF_R, PF_R}, "writable and executable"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		const uint64_t packed[] = {DATA + 320};
		struct small f = small_with(packed, 1);
		struct image image;
		struct hp_err err;

		f.phdrs[4] = f.phdrs[3];
		f.phdrs[3] = segment(PT_LOAD, 0, 2 * TABLES, 2 * TABLES);
		f.ehdr.e_phnum = 5;
		for (size_t n = 0; n < 4; n++)
			f.phdrs[n].p_flags = wrong[i].flags[n];
		f.phdrs[3].p_offset = 0;
		cr_assert(eq(int, parse_small(&image, &f, &err), -1), "row %zu", i);
		cr_assert(eq(int, err.kind, HP_INTERNAL), "row %zu", i);
		cr_assert(ne(ptr, strstr(err.text, wrong[i].why), NULL), "%s", err.text);
	}
}
