/* SPDX-License-Identifier: MIT
 *
 * From a file's dynamic section to its symbols and imports. The section headers are not used
 * (but for static executables): they are not mapped, and a file may lack them.
 *
 * The invariant: an address from the file is only followed through elf_file_chunk().
 */
#include "inject/elf/elf_image.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "inject/base/cleanup.h"
#include "inject/elf/elf_file.h"
#include "inject/elf/elf_index.h"

/* Bounds for what a file may cost us; the largest known libraries stay a factor of ten below.
 */
#define SYMBOLS_MAX    ((uint64_t)1 << 20)
#define STRINGS_MAX    ((uint64_t)64 << 20)
#define RELA_MAX       ((uint64_t)128 << 20)
#define RELA_STEP      1024
#define SNAPSHOT_MAX   ((uint64_t)256 << 20)
#define SNAPSHOT_HOLES ((uint64_t)16 << 20) /* linkers align segments to 2 MiB at most */
#define PAGE           4096u

struct parse {
	struct elf_file file;
	struct elf_image *image;
	uint64_t bias; /* glibc adds it to the dynamic section's pointers in memory; 0 for a
			  file */
	struct dynamic {
		uint64_t symtab, strtab, strsz, hash, gnu_hash, versym;
		uint64_t rela, relasz, relacount, jmprel, pltrelsz;
	} dynamic;
	uint64_t chains; /* of .gnu.hash: a hash for each symbol from the first hashed one on */
};

static void parse_fini(struct parse *parse)
{
	elf_file_fini(&parse->file);
}

/* The file offset of a virtual address; UINT64_MAX when no segment has file bytes there. */
static uint64_t offset_of(const struct elf_image *image, uint64_t vaddr)
{
	for (size_t i = 0; i < image->segment_count; i++) {
		const struct elf_segment *s = &image->segments[i];

		if (vaddr >= s->vaddr && vaddr - s->vaddr < s->filesz)
			return s->offset + (vaddr - s->vaddr);
	}
	return UINT64_MAX;
}

static const void *chunk_at(const struct parse *parse, uint64_t vaddr, uint64_t len,
			    enum elf_chunk type)
{
	uint64_t offset = offset_of(parse->image, vaddr);

	if (offset == UINT64_MAX && parse->bias)
		offset = offset_of(parse->image, vaddr - parse->bias);
	return offset == UINT64_MAX ? NULL : elf_file_chunk(&parse->file, offset, len, type);
}

static void read_dynamic(struct parse *parse)
{
	const struct elf_image *image = parse->image;
	struct dynamic *d = &parse->dynamic;
	uint64_t size = image->dynamic_size - image->dynamic_size % sizeof(Elf64_Dyn);
	const Elf64_Dyn *dyn = NULL;

	if (size <= SYMBOLS_MAX)
		dyn = elf_file_chunk(&parse->file, image->dynamic_offset, size, ELF_CHUNK_DYN);
	for (size_t i = 0; dyn && i < size / sizeof(*dyn) && dyn[i].d_tag != DT_NULL; i++) {
		const struct {
			Elf64_Sxword tag;
			uint64_t *field;
		} wanted[] = {
			{DT_SYMTAB, &d->symtab},       {DT_STRTAB, &d->strtab},
			{DT_STRSZ, &d->strsz},         {DT_HASH, &d->hash},
			{DT_RELA, &d->rela},           {DT_GNU_HASH, &d->gnu_hash},
			{DT_RELASZ, &d->relasz},       {DT_VERSYM, &d->versym},
			{DT_JMPREL, &d->jmprel},       {DT_PLTRELSZ, &d->pltrelsz},
			{DT_RELACOUNT, &d->relacount},
		};
		for (size_t k = 0; k < sizeof(wanted) / sizeof(*wanted); k++) {
			if (dyn[i].d_tag == wanted[k].tag)
				*wanted[k].field = dyn[i].d_un.d_val;
		}
	}
}

/* The chain of the highest bucket ends, by an odd value, at the last symbol. */
static uint64_t count_in_chain(const struct parse *parse, uint64_t chains, uint64_t first,
			       uint64_t last)
{
	enum { STEP = 64 };

	while (last < SYMBOLS_MAX) {
		uint64_t at = chains + (last - first) * sizeof(uint32_t), got = STEP;
		const uint32_t *chain = NULL;

		while (got &&
		       !(chain = chunk_at(parse, at, got * sizeof(*chain), ELF_CHUNK_WORD)))
			got /= 2; /* the end of the file is near */
		if (!chain)
			return 0;
		for (uint64_t i = 0; i < got; i++, last++) {
			if (chain[i] & 1)
				return last + 1;
		}
	}
	return 0;
}

/* Neither the dynamic section nor a segment says how many symbols there are: the hash tables
 * do. */
static uint64_t count_by_gnu_hash(struct parse *parse)
{
	const uint64_t at = parse->dynamic.gnu_hash;
	const uint32_t *header = chunk_at(parse, at, 4 * sizeof(uint32_t), ELF_CHUNK_WORD);

	if (!header)
		return 0;
	const uint64_t bucket_count = header[0], first = header[1], bloom_words = header[2];
	const uint64_t buckets_at = at + 4 * sizeof(uint32_t) + bloom_words * sizeof(uint64_t);
	struct elf_symbols *symbols = &parse->image->symbols;
	const uint32_t *buckets = NULL;
	uint64_t last = 0;

	if (bucket_count <= SYMBOLS_MAX)
		buckets = chunk_at(parse, buckets_at, bucket_count * sizeof(uint32_t),
				   ELF_CHUNK_WORD);
	if (!buckets)
		return 0;
	for (uint64_t i = 0; i < bucket_count; i++) {
		if (buckets[i] > last)
			last = buckets[i];
	}
	if (last < first)
		return first; /* nothing is exported; what comes before is imported */
	parse->chains = buckets_at + bucket_count * sizeof(uint32_t);
	symbols->buckets = buckets;
	symbols->bucket_count = bucket_count;
	symbols->first_hashed = first;
	return count_in_chain(parse, parse->chains, first, last);
}

static uint64_t count_symbols(struct parse *parse)
{
	const uint32_t *hash;

	if (parse->dynamic.gnu_hash)
		return count_by_gnu_hash(parse);
	if (!parse->dynamic.hash)
		return 0;
	hash = chunk_at(parse, parse->dynamic.hash, 2 * sizeof(uint32_t), ELF_CHUNK_WORD);
	return hash ? hash[1] : 0; /* one chain entry a symbol */
}

/* What is taken of the strings is ended. */
static void take_strings(struct elf_symbols *symbols, const char *strings, uint64_t len)
{
	while (len > 0 && strings[len - 1])
		len--;
	symbols->strings = strings;
	symbols->strings_len = len;
}

static int take_hashes(struct parse *parse, struct hp_err *err)
{
	struct elf_symbols *symbols = &parse->image->symbols;
	const size_t first = symbols->first_hashed;

	if (symbols->bucket_count && first < symbols->count)
		symbols->hashes =
			chunk_at(parse, parse->chains,
				 (symbols->count - first) * sizeof(uint32_t), ELF_CHUNK_WORD);
	if (symbols->hashes)
		return 0;
	symbols->bucket_count = 0;
	return elf_image_index(parse->image, err);
}

static bool fills_slot(const struct elf_image *image, uint64_t type)
{
	switch (image->machine) {
	case EM_X86_64:
		return type == R_X86_64_GLOB_DAT || type == R_X86_64_JUMP_SLOT;
	case EM_AARCH64:
		return type == R_AARCH64_GLOB_DAT || type == R_AARCH64_JUMP_SLOT;
	default:
		return false;
	}
}

static void add_import(struct parse *parse, const Elf64_Rela *rela)
{
	struct elf_image *image = parse->image;
	const struct elf_symbols *symbols = &image->symbols;
	uint64_t index = ELF64_R_SYM(rela->r_info);
	const Elf64_Sym *sym;

	if (!fills_slot(image, ELF64_R_TYPE(rela->r_info)) || !index || index >= symbols->count)
		return;
	sym = &symbols->items[index];
	if (sym->st_name >= symbols->strings_len || !symbols->strings[sym->st_name])
		return;
	image->imports[image->import_count++] = (struct elf_import){
		.name = symbols->strings + sym->st_name,
		.slot = rela->r_offset,
	};
}

static bool has_malloc(const struct elf_image *image, size_t from)
{
	const struct elf_import *last = from ? &image->imports[from - 1] : NULL;

	return elf_image_import(image, "malloc", last) != NULL;
}

/* Adds the imports of `count` relocations at `vaddr`; *found: malloc was among them. */
static int take_slots(bool *found, struct parse *parse, uint64_t vaddr, uint64_t count,
		      struct hp_err *err)
{
	struct elf_image *image = parse->image;
	const Elf64_Rela *relas = NULL;
	struct elf_import *grown;
	const size_t known = image->import_count;

	if (count && count <= RELA_MAX / sizeof(*relas))
		relas = chunk_at(parse, vaddr, count * sizeof(*relas), ELF_CHUNK_RELA);
	if (!relas)
		count = 0;
	grown = reallocarray(image->imports, known + count + 1, sizeof(*grown));
	if (!grown)
		return hp_err_set(err, HP_SYSTEM, 0,
				  "no memory for the symbols of an ELF file");
	image->imports = grown;
	for (uint64_t i = 0; i < count; i++)
		add_import(parse, &relas[i]);
	*found = has_malloc(image, known);
	return 0;
}

/* Of the 36,000 relocations of a libpython, which took longer to read than all of the rest, no
 * more than it takes to find malloc: no relative ones, which come first when they are counted,
 * and from the end, where ld puts those of the GOT. */
static int take_imports(struct parse *parse, struct hp_err *err)
{
	const struct dynamic *d = &parse->dynamic;
	uint64_t count = d->relasz <= RELA_MAX ? d->relasz / sizeof(Elf64_Rela) : 0;
	bool found;

	if (take_slots(&found, parse, d->jmprel, d->pltrelsz / sizeof(Elf64_Rela), err) < 0)
		return -1;
	while (count > d->relacount && !found) {
		const uint64_t left = count - d->relacount;
		const uint64_t some = left < RELA_STEP ? left : RELA_STEP;

		count -= some;
		if (take_slots(&found, parse, d->rela + count * sizeof(Elf64_Rela), some, err) <
		    0)
			return -1;
	}
	return 0;
}

/* A static executable: no dynamic section, but perhaps a symbol table for debuggers. */
static int parse_symtab(struct parse *parse, struct hp_err *err)
{
	struct elf_symbols *symbols = &parse->image->symbols;
	struct elf_symtab table;
	const char *strings;

	if (!elf_file_symtab(&parse->file, &table) || table.strings_size > STRINGS_MAX ||
	    table.size / sizeof(Elf64_Sym) > SYMBOLS_MAX)
		return 0;
	const size_t count = table.size / sizeof(Elf64_Sym);
	symbols->items = elf_file_chunk(&parse->file, table.offset, count * sizeof(Elf64_Sym),
					ELF_CHUNK_SYM);
	strings = elf_file_chunk(&parse->file, table.strings_offset, table.strings_size,
				 ELF_CHUNK_BYTES);
	if (!symbols->items || !strings)
		return 0;
	symbols->count = count;
	take_strings(symbols, strings, table.strings_size);
	return elf_image_index(parse->image, err);
}

static int parse_dynamic(struct parse *parse, struct hp_err *err)
{
	const struct dynamic *d = &parse->dynamic;
	struct elf_symbols *symbols = &parse->image->symbols;
	const uint64_t count = count_symbols(parse);
	const char *strings = NULL;

	if (d->strsz <= STRINGS_MAX)
		strings = chunk_at(parse, d->strtab, d->strsz, ELF_CHUNK_BYTES);
	if (count && count <= SYMBOLS_MAX)
		symbols->items =
			chunk_at(parse, d->symtab, count * sizeof(Elf64_Sym), ELF_CHUNK_SYM);
	if (!symbols->items || !strings)
		return hp_err_set(err, HP_UNSUPPORTED, 0,
				  "an ELF file with a broken symbol table");
	symbols->count = count;
	if (d->versym)
		symbols->versions = chunk_at(
			parse, d->versym, count * sizeof(*symbols->versions), ELF_CHUNK_HALF);
	take_strings(symbols, strings, d->strsz);
	return take_hashes(parse, err) < 0 ? -1 : take_imports(parse, err);
}

static int parse_tables(struct parse *parse, struct hp_err *err)
{
	if (parse->image->elf_class != ELFCLASS64)
		return 0;
	read_dynamic(parse);
	return parse->dynamic.symtab ? parse_dynamic(parse, err) : parse_symtab(parse, err);
}

/* The image points into it. */
static int keep_file(struct parse *parse, struct hp_err *err)
{
	struct elf_file *file = malloc(sizeof(*file));

	if (!file)
		return hp_err_set(err, HP_SYSTEM, 0, "no memory for an ELF file");
	elf_file_detach(&parse->file);
	*file = parse->file;
	parse->file = (struct elf_file){0};
	parse->image->file = file;
	return 0;
}

static int parse_file(struct elf_image *out, struct parse *parse, bool headers_only,
		      struct hp_err *err)
{
	struct elf_image image = {0};

	parse->image = &image;
	int r = elf_file_headers(&parse->file, &image, err);
	if (r == 0 && !headers_only)
		r = parse_tables(parse, err);
	if (r == 0 && !headers_only)
		r = keep_file(parse, err);
	parse->image = NULL;
	if (r == 0)
		*out = image;
	else
		elf_image_fini(&image);
	return r;
}

int elf_image_parse(struct elf_image *out, struct span bytes, struct hp_err *err)
{
	_cleanup_(parse_fini) struct parse parse = {0};

	if (elf_file_from_bytes(&parse.file, bytes, err) < 0)
		return -1;
	return parse_file(out, &parse, false, err);
}

int elf_image_read(struct elf_image *out, int fd, struct hp_err *err)
{
	_cleanup_(parse_fini) struct parse parse = {0};

	if (elf_file_open(&parse.file, fd, err) < 0)
		return -1;
	return parse_file(out, &parse, false, err);
}

/* Section headers are not mapped: libelf must not look for them in what is there instead. */
static void forget_sections(void *bytes, size_t len)
{
	Elf64_Ehdr ehdr;

	if (len < sizeof(ehdr))
		return;
	memcpy(&ehdr, bytes, sizeof(ehdr));
	if (ehdr.e_ident[EI_CLASS] != ELFCLASS64)
		return;
	ehdr.e_shoff = 0;
	ehdr.e_shnum = 0;
	ehdr.e_shstrndx = 0;
	memcpy(bytes, &ehdr, sizeof(ehdr));
}

int elf_image_parse_headers(struct elf_image *out, struct span bytes, struct hp_err *err)
{
	_cleanup_(parse_fini) struct parse parse = {0};
	_cleanup_free_ uint8_t *copy = malloc(bytes.len + 1);

	if (!copy)
		return hp_err_set(err, HP_SYSTEM, 0, "no memory for an ELF header");
	if (bytes.len)
		memcpy(copy, bytes.data, bytes.len);
	forget_sections(copy, bytes.len);
	if (elf_file_take_bytes(&parse.file, &copy, bytes.len, err) < 0)
		return -1;
	return parse_file(out, &parse, true, err);
}

int elf_image_borrow(struct elf_image *out, const void *base, struct hp_err *err)
{
	const struct span page = {base, PAGE};
	struct elf_image image = {0};
	struct parse parse = {.image = &image};

	if (elf_image_parse_headers(&image, page, err) < 0)
		return -1;
	parse.bias = elf_image_bias(&image, (uintptr_t)base);
	elf_file_map(&parse.file, &image, parse.bias);
	if (parse_tables(&parse, err) < 0) {
		elf_image_fini(&image);
		return -1;
	}
	*out = image;
	return 0;
}

/* Where one reads a process's memory. */
struct memory {
	elf_memory_read read;
	void *context;
	uint64_t bias;
};

/* How many bytes a snapshot laid out as the file needs; 0 when the headers are not to be
 * believed: a segment that is not mapped to its end, or much more space between segments than
 * in them. */
static uint64_t snapshot_size(const struct elf_image *image, const struct memory *memory)
{
	uint64_t size = 0, mapped = 0;

	for (size_t i = 0; i < image->segment_count; i++) {
		const struct elf_segment *s = &image->segments[i];
		uint64_t end = s->offset + s->filesz;
		uint8_t last;

		if (!s->filesz || !s->read)
			continue;
		if (end < s->offset || end > SNAPSHOT_MAX ||
		    memory->read(memory->context, memory->bias + s->vaddr + s->filesz - 1,
				 &last, 1) < 0)
			return 0;
		size = end > size ? end : size;
		mapped += s->filesz;
	}
	return mapped <= SNAPSHOT_MAX && size <= mapped + SNAPSHOT_HOLES ? size : 0;
}

int elf_image_read_memory(struct elf_image *out, elf_memory_read read, void *context,
			  uint64_t base, struct hp_err *err)
{
	_cleanup_(elf_image_fini) struct elf_image headers = {0};
	_cleanup_(parse_fini) struct parse parse = {0};
	_cleanup_free_ uint8_t *bytes = NULL;
	uint8_t page[PAGE];

	if (read(context, base, page, sizeof(page)) < 0)
		return hp_err_set(err, HP_SYSTEM, 0, "an ELF header in memory cannot be read");
	if (elf_image_parse_headers(&headers, (struct span){page, sizeof(page)}, err) < 0)
		return -1;
	const struct memory memory = {read, context, elf_image_bias(&headers, base)};
	uint64_t size = snapshot_size(&headers, &memory);
	if (size < sizeof(Elf64_Ehdr) || !(bytes = calloc(1, size)))
		return hp_err_set(err, HP_UNSUPPORTED, 0,
				  "an ELF file in memory of a senseless size");
	parse.bias = memory.bias;
	for (size_t i = 0; i < headers.segment_count; i++) {
		const struct elf_segment *s = &headers.segments[i];

		if (s->filesz && s->read &&
		    read(context, parse.bias + s->vaddr, bytes + s->offset, s->filesz) < 0)
			return hp_err_set(err, HP_SYSTEM, 0,
					  "an ELF file in memory cannot be read");
	}
	forget_sections(bytes, size);
	if (elf_file_take_bytes(&parse.file, &bytes, size, err) < 0)
		return -1;
	return parse_file(out, &parse, false, err);
}
