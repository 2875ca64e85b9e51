/* SPDX-License-Identifier: MIT
 *
 * A dynamic linker for one kind of file: our own payload, made with two segments (R-X, RW) and
 * one behind them (R) of tables that the target does not get, three exported entries, SysV hash
 * table and the plain x86-64 relocations. Bounds are checked all the same: an installed file
 * can be damaged.
 */
#include "inject/session/image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inject/base/cleanup.h"

#define PAGE      4096u
#define IMAGE_MAX (16u << 20)

#ifndef DT_RELR /* before glibc 2.36 */
#define DT_RELRSZ 35
#define DT_RELR   36
#endif

struct dynamic {
	uint64_t symtab, strtab, strsz, hash, rela, relasz, jmprel, pltrelsz, relr, relrsz;
};

static uint64_t page_up(uint64_t v)
{
	return (v + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

static int damaged(struct hp_err *err, const char *what)
{
	return hp_err_set(err, HP_INTERNAL, 0, "the payload file is damaged: %s", what);
}

/* Bytes [at, at + len) of what the file has, or NULL. */
static void *image_at(const struct image *image, uint64_t at, uint64_t len)
{
	if (at > image->loaded || len > image->loaded - at)
		return NULL;
	return image->bytes + at;
}

/* The same for a table whose entries are used where they lie; a damaged file may place it
 * anywhere. */
static void *table_at(const struct image *image, uint64_t at, uint64_t len, size_t alignment)
{
	return at % alignment != 0 ? NULL : image_at(image, at, len);
}

/* The file, open or in memory. What is wanted of it is read to where it belongs: read as a
 * whole and copied it took a third of the time that linking takes. */
struct source {
	int fd; /* -1: bytes */
	struct span bytes;
};

static bool source_read(const struct source *source, void *out, uint64_t offset, uint64_t len)
{
	if (source->fd >= 0)
		return offset <= IMAGE_MAX && len <= IMAGE_MAX &&
		       pread(source->fd, out, len, (off_t)offset) == (ssize_t)len;
	if (offset > source->bytes.len || len > source->bytes.len - offset)
		return false;
	if (len)
		memcpy(out, source->bytes.data + offset, len);
	return true;
}

static int header_read(Elf64_Ehdr *ehdr, const struct source *source, struct hp_err *err)
{
	if (!source_read(source, ehdr, 0, sizeof(*ehdr)))
		return damaged(err, "too short");
	if (memcmp(ehdr->e_ident, ELFMAG, SELFMAG) != 0 ||
	    ehdr->e_ident[EI_CLASS] != ELFCLASS64 || ehdr->e_type != ET_DYN ||
	    ehdr->e_machine != EM_X86_64 || ehdr->e_phentsize != sizeof(Elf64_Phdr))
		return damaged(err, "not a shared object for x86-64");
	return 0;
}

/* Sizes and the border between text and data: everything before the first writable segment is
 * mapped R-X, the writable ones RW, what is behind them not at all. */
static int measure(struct image *image, const Elf64_Phdr *phdrs, size_t count,
		   struct hp_err *err)
{
	uint64_t end = 0, text_end = 0, data_end = 0;

	for (size_t i = 0; i < count; i++) {
		const Elf64_Phdr *p = &phdrs[i];

		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_vaddr > IMAGE_MAX || p->p_memsz > IMAGE_MAX ||
		    p->p_filesz > p->p_memsz || p->p_vaddr < end)
			return damaged(err, "segments");
		if ((p->p_flags & PF_W) && (p->p_flags & PF_X))
			return damaged(err, "a segment is both writable and executable");
		if ((p->p_flags & PF_W) && data_end != end)
			return damaged(err, "data after tables");
		if ((p->p_flags & PF_X) && text_end)
			return damaged(err, "text after data");
		if ((p->p_flags & PF_W) && !text_end)
			text_end = p->p_vaddr & ~(uint64_t)(PAGE - 1);
		end = p->p_vaddr + p->p_memsz;
		if ((p->p_flags & PF_W) || !text_end)
			data_end = end;
	}
	image->loaded = page_up(end);
	image->size = page_up(data_end);
	image->text_size = text_end ? text_end : image->size;
	return image->size ? 0 : damaged(err, "no segments");
}

static int load(struct image *image, const struct source *source, const Elf64_Phdr *phdrs,
		size_t count, struct hp_err *err)
{
	uint64_t filled = 0;

	if (measure(image, phdrs, count, err) < 0)
		return -1;
	image->bytes = malloc(image->loaded);
	if (!image->bytes)
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "load the payload");
	for (size_t i = 0; i < count; i++) {
		const Elf64_Phdr *p = &phdrs[i];

		if (p->p_type != PT_LOAD)
			continue;
		if (!source_read(source, image->bytes + p->p_vaddr, p->p_offset, p->p_filesz))
			return damaged(err, "a segment ends after the file");
		memset(image->bytes + filled, 0, p->p_vaddr - filled);
		filled = p->p_vaddr + p->p_filesz;
	}
	memset(image->bytes + filled, 0, image->loaded - filled);
	return 0;
}

static void dynamic_take(struct dynamic *d, const Elf64_Dyn *entry)
{
	switch (entry->d_tag) {
	case DT_SYMTAB:
		d->symtab = entry->d_un.d_ptr;
		break;
	case DT_STRTAB:
		d->strtab = entry->d_un.d_ptr;
		break;
	case DT_STRSZ:
		d->strsz = entry->d_un.d_val;
		break;
	case DT_HASH:
		d->hash = entry->d_un.d_ptr;
		break;
	case DT_RELA:
		d->rela = entry->d_un.d_ptr;
		break;
	case DT_RELASZ:
		d->relasz = entry->d_un.d_val;
		break;
	case DT_JMPREL:
		d->jmprel = entry->d_un.d_ptr;
		break;
	case DT_PLTRELSZ:
		d->pltrelsz = entry->d_un.d_val;
		break;
	case DT_RELR:
		d->relr = entry->d_un.d_ptr;
		break;
	case DT_RELRSZ:
		d->relrsz = entry->d_un.d_val;
		break;
	default:
		break;
	}
}

static int dynamic_read(struct dynamic *d, const struct image *image, const Elf64_Phdr *phdrs,
			size_t count, struct hp_err *err)
{
	for (size_t i = 0; i < count; i++) {
		const Elf64_Dyn *dyn;

		if (phdrs[i].p_type != PT_DYNAMIC)
			continue;
		dyn = table_at(image, phdrs[i].p_vaddr, phdrs[i].p_memsz, _Alignof(Elf64_Dyn));
		if (!dyn)
			return damaged(err, "dynamic section");
		for (size_t n = phdrs[i].p_memsz / sizeof(*dyn); n > 0 && dyn->d_tag;
		     n--, dyn++)
			dynamic_take(d, dyn);
	}
	if (!d->symtab || !d->strtab || !d->hash)
		return damaged(err, "no symbol table");
	return 0;
}

static const char *symbol_name(const struct image *image, const struct dynamic *d,
			       const Elf64_Sym *sym)
{
	const char *name;

	if (sym->st_name >= d->strsz)
		return NULL;
	name = image_at(image, d->strtab + sym->st_name, d->strsz - sym->st_name);
	return name && memchr(name, 0, d->strsz - sym->st_name) ? name : NULL;
}

static const Elf64_Sym *symbol_at(const struct image *image, const struct dynamic *d,
				  uint64_t n)
{
	return n > IMAGE_MAX ? NULL
			     : table_at(image, d->symtab + n * sizeof(Elf64_Sym),
					sizeof(Elf64_Sym), _Alignof(Elf64_Sym));
}

static int entry_take(uint64_t *out, const struct image *image, const Elf64_Sym *sym,
		      struct hp_err *err)
{
	*out = sym->st_value;
	return *out < image->text_size ? 0 : damaged(err, "entry");
}

#define ENTRIES 3

static int find_entries(struct image *image, const struct dynamic *d, struct hp_err *err)
{
	const uint32_t *hash = table_at(image, d->hash, 2 * sizeof(*hash), _Alignof(uint32_t));
	static const char *const names[ENTRIES] = {"payload_launch", "payload_enter",
						   "payload_lend"};
	uint64_t *const entries[ENTRIES] = {&image->launch, &image->enter, &image->lend};
	size_t found = 0;

	if (!hash)
		return damaged(err, "hash table");
	for (uint32_t n = 1; n < hash[1]; n++) { /* nchain = number of symbols */
		const Elf64_Sym *sym = symbol_at(image, d, n);
		const char *name = sym ? symbol_name(image, d, sym) : NULL;

		if (!name)
			return damaged(err, "symbols");
		for (size_t i = 0; i < ENTRIES && sym->st_shndx != SHN_UNDEF; i++) {
			if (strcmp(name, names[i]) != 0)
				continue;
			if (entry_take(entries[i], image, sym, err) < 0)
				return -1;
			found |= 1u << i;
		}
	}
	if (found != (1u << ENTRIES) - 1)
		return damaged(err, "an entry is missing");
	image->early = image->text_size;
	for (size_t i = 0; i < ENTRIES; i++)
		if (*entries[i] < image->early)
			image->early = *entries[i] & ~(uint64_t)(PAGE - 1);
	return 0;
}

struct linker {
	struct image *image;
	const struct dynamic *dynamic;
	image_lookup lookup;
	const void *context;
};

static int resolve(struct image_reloc *out, const struct linker *linker, const Elf64_Rela *rela,
		   struct hp_err *err)
{
	const Elf64_Sym *sym =
		symbol_at(linker->image, linker->dynamic, ELF64_R_SYM(rela->r_info));
	const char *name = sym ? symbol_name(linker->image, linker->dynamic, sym) : NULL;

	if (!name)
		return damaged(err, "symbols");
	if (sym->st_shndx != SHN_UNDEF) {
		out->relative = true;
		out->value = sym->st_value + (uint64_t)rela->r_addend;
		return 0;
	}
	remote_addr addr = linker->lookup(linker->context, name);
	if (addr_is_null(addr) && ELF64_ST_BIND(sym->st_info) != STB_WEAK)
		return hp_err_set(err, HP_UNSUPPORTED, 0, "the interpreter offers no %s", name);
	out->value = addr_is_null(addr) ? 0 : addr.v + (uint64_t)rela->r_addend;
	return 0;
}

static bool is_in_data(const struct image *image, uint64_t at)
{
	return at >= image->text_size && at < image->size &&
	       image->size - at >= sizeof(uint64_t);
}

static int relocation_read(struct image_reloc *out, const struct linker *linker,
			   const Elf64_Rela *rela, struct hp_err *err)
{
	*out = (struct image_reloc){.at = rela->r_offset};
	if (!is_in_data(linker->image, rela->r_offset))
		return damaged(err, "a relocation outside of the data");
	switch (ELF64_R_TYPE(rela->r_info)) {
	case R_X86_64_RELATIVE:
		out->relative = true;
		out->value = (uint64_t)rela->r_addend;
		return 0;
	case R_X86_64_GLOB_DAT:
	case R_X86_64_JUMP_SLOT:
	case R_X86_64_64:
		return resolve(out, linker, rela, err);
	default:
		return damaged(err, "an unknown kind of relocation");
	}
}

static int relocs_reserve(struct image *image, size_t count, struct hp_err *err)
{
	struct image_reloc *grown =
		reallocarray(image->relocs, image->reloc_count + count, sizeof(*grown));

	if (!grown)
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "link the payload");
	image->relocs = grown;
	return 0;
}

static int relocations_read(const struct linker *linker, uint64_t table, uint64_t size,
			    struct hp_err *err)
{
	struct image *image = linker->image;
	size_t count = size / sizeof(Elf64_Rela);
	const Elf64_Rela *rela = table_at(image, table, size, _Alignof(Elf64_Rela));

	if (!count)
		return 0;
	if (!rela)
		return damaged(err, "relocations");
	if (relocs_reserve(image, count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (relocation_read(&image->relocs[image->reloc_count], linker, &rela[i], err) <
		    0)
			return -1;
		image->reloc_count++;
	}
	return 0;
}

static int packed_add(struct image *image, uint64_t at, struct hp_err *err)
{
	struct image_reloc *out = &image->relocs[image->reloc_count];

	if (!is_in_data(image, at))
		return damaged(err, "a relocation outside of the data");
	*out = (struct image_reloc){.at = at, .relative = true};
	memcpy(&out->value, image->bytes + at, sizeof(out->value));
	image->reloc_count++;
	return 0;
}

/* An even word is a place; each bit of an odd one, but the lowest, stands for one of the 63
 * words that follow (SHT_RELR of the generic ABI). Linkers sort them, and so there are no more
 * than the data has words. */
static int packed_word(struct image *image, uint64_t *at, uint64_t word, struct hp_err *err)
{
	const size_t step = sizeof(uint64_t);

	if (!(word & 1)) {
		if (word < *at || word % step)
			return damaged(err, "packed relocations");
		*at = word + step;
		return packed_add(image, word, err);
	}
	for (uint64_t bits = word >> 1, place = *at; bits; bits >>= 1, place += step)
		if ((bits & 1) && packed_add(image, place, err) < 0)
			return -1;
	*at += 63 * step;
	return 0;
}

static int packed_read(struct image *image, const struct dynamic *d, struct hp_err *err)
{
	const uint64_t *words = table_at(image, d->relr, d->relrsz, _Alignof(uint64_t));
	const size_t count = d->relrsz / sizeof(*words);
	uint64_t at = 0;

	if (!count)
		return 0;
	if (!words)
		return damaged(err, "packed relocations");
	if (relocs_reserve(image, (image->size - image->text_size) / sizeof(*words), err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (packed_word(image, &at, words[i], err) < 0)
			return -1;
	return 0;
}

static int parse(struct image *image, const struct source *source, image_lookup lookup,
		 const void *context, struct hp_err *err)
{
	struct dynamic dynamic = {0};
	const struct linker linker = {image, &dynamic, lookup, context};
	_cleanup_free_ Elf64_Phdr *phdrs = NULL;
	Elf64_Ehdr ehdr;

	if (header_read(&ehdr, source, err) < 0)
		return -1;
	phdrs = calloc(ehdr.e_phnum + 1u, sizeof(*phdrs));
	if (!phdrs)
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "link the payload");
	if (!source_read(source, phdrs, ehdr.e_phoff, ehdr.e_phnum * sizeof(*phdrs)))
		return damaged(err, "program headers");
	if (load(image, source, phdrs, ehdr.e_phnum, err) < 0 ||
	    dynamic_read(&dynamic, image, phdrs, ehdr.e_phnum, err) < 0 ||
	    find_entries(image, &dynamic, err) < 0 || packed_read(image, &dynamic, err) < 0 ||
	    relocations_read(&linker, dynamic.rela, dynamic.relasz, err) < 0)
		return -1;
	return relocations_read(&linker, dynamic.jmprel, dynamic.pltrelsz, err);
}

static int parse_source(struct image *out, const struct source *source, image_lookup lookup,
			const void *context, struct hp_err *err)
{
	struct image image = {0};

	if (parse(&image, source, lookup, context, err) < 0) {
		image_fini(&image);
		return -1;
	}
	*out = image;
	return 0;
}

int image_parse(struct image *out, struct span file, image_lookup lookup, const void *context,
		struct hp_err *err)
{
	const struct source source = {.fd = -1, .bytes = file};

	return parse_source(out, &source, lookup, context, err);
}

static remote_addr lookup_in_target(const void *context, const char *name)
{
	return target_symbol(context, name);
}

int image_link(struct image *out, const char *path, const struct target *target,
	       struct hp_err *err)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	const struct source source = {.fd = fd};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return hp_err_set(err, HP_SYSTEM, errno, "open the payload %s", path);
	if (!S_ISREG(st.st_mode))
		return damaged(err, "not a file");
	return parse_source(out, &source, lookup_in_target, target, err);
}

void image_fini(struct image *image)
{
	free(image->bytes);
	free(image->relocs);
	*image = (struct image){0};
}

void image_relocate(const struct image *image, uint8_t *to, remote_addr base)
{
	for (size_t i = 0; i < image->reloc_count; i++) {
		const struct image_reloc *r = &image->relocs[i];
		uint64_t value = r->relative ? r->value + base.v : r->value;

		memcpy(to + r->at, &value, sizeof(value));
	}
}
