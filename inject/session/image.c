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
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/session/image_file.h"

#ifndef DT_RELR /* before glibc 2.36 */
#define DT_RELRSZ 35
#define DT_RELR   36
#endif

struct dynamic {
	uint64_t symtab, strtab, strsz, hash, rela, relasz, jmprel, pltrelsz, relr, relrsz;
};

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
			return image_damaged(err, "dynamic section");
		for (size_t n = phdrs[i].p_memsz / sizeof(*dyn); n > 0 && dyn->d_tag;
		     n--, dyn++)
			dynamic_take(d, dyn);
	}
	if (!d->symtab || !d->strtab || !d->hash)
		return image_damaged(err, "no symbol table");
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
	return *out < image->text_size ? 0 : image_damaged(err, "entry");
}

#define ENTRIES 5

static int find_entries(struct image *image, const struct dynamic *d, struct hp_err *err)
{
	const uint32_t *hash = table_at(image, d->hash, 2 * sizeof(*hash), _Alignof(uint32_t));
	static const char *const names[ENTRIES] = {"payload_launch", "payload_enter",
						   "payload_lend", "payload_work",
						   "payload_early"};
	uint64_t *const entries[ENTRIES] = {&image->launch, &image->enter, &image->lend,
					    &image->work, &image->early};
	size_t found = 0;

	if (!hash)
		return image_damaged(err, "hash table");
	for (uint32_t n = 1; n < hash[1]; n++) { /* nchain = number of symbols */
		const Elf64_Sym *sym = symbol_at(image, d, n);
		const char *name = sym ? symbol_name(image, d, sym) : NULL;

		if (!name)
			return image_damaged(err, "symbols");
		for (size_t i = 0; i < ENTRIES && sym->st_shndx != SHN_UNDEF; i++) {
			if (strcmp(name, names[i]) != 0)
				continue;
			if (entry_take(entries[i], image, sym, err) < 0)
				return -1;
			found |= 1u << i;
		}
	}
	if (found != (1u << ENTRIES) - 1)
		return image_damaged(err, "an entry is missing");
	for (size_t i = 0; i < ENTRIES; i++)
		if (*entries[i] < image->early)
			return image_damaged(err, "an entry lies in what is written later");
	image->early &= ~(uint64_t)(IMAGE_PAGE - 1);
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
		return image_damaged(err, "symbols");
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
		return image_damaged(err, "a relocation outside of the data");
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
		return image_damaged(err, "an unknown kind of relocation");
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
		return image_damaged(err, "relocations");
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
		return image_damaged(err, "a relocation outside of the data");
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
			return image_damaged(err, "packed relocations");
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
		return image_damaged(err, "packed relocations");
	if (relocs_reserve(image, (image->size - image->text_size) / sizeof(*words), err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (packed_word(image, &at, words[i], err) < 0)
			return -1;
	return 0;
}

static int parse(struct image *image, const struct image_file *file, image_lookup lookup,
		 const void *context, struct hp_err *err)
{
	struct dynamic dynamic = {0};
	const struct linker linker = {image, &dynamic, lookup, context};
	_cleanup_free_ Elf64_Phdr *phdrs = NULL;
	size_t count;

	if (image_file_load(image, &phdrs, &count, file, err) < 0 ||
	    dynamic_read(&dynamic, image, phdrs, count, err) < 0 ||
	    find_entries(image, &dynamic, err) < 0 || packed_read(image, &dynamic, err) < 0 ||
	    relocations_read(&linker, dynamic.rela, dynamic.relasz, err) < 0)
		return -1;
	return relocations_read(&linker, dynamic.jmprel, dynamic.pltrelsz, err);
}

static int link_file(struct image *out, const struct image_file *file, image_lookup lookup,
		     const void *context, struct hp_err *err)
{
	struct image image = {0};

	if (parse(&image, file, lookup, context, err) < 0) {
		image_fini(&image);
		return -1;
	}
	*out = image;
	return 0;
}

int image_parse(struct image *out, struct span bytes, image_lookup lookup, const void *context,
		struct hp_err *err)
{
	const struct image_file file = {.fd = -1, .bytes = bytes.data, .size = bytes.len};

	return link_file(out, &file, lookup, context, err);
}

static remote_addr lookup_in_target(const void *context, const char *name)
{
	return target_symbol(context, name);
}

int image_link(struct image *out, const char *path, const struct target *target,
	       struct hp_err *err)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct image_file file = {.fd = fd};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return hp_err_set(err, HP_SYSTEM, errno, "open the payload %s", path);
	if (!S_ISREG(st.st_mode))
		return image_damaged(err, "not a file");
	file.size = (uint64_t)st.st_size;
	return link_file(out, &file, lookup_in_target, target, err);
}

void image_unload(struct image *image)
{
	if (image->bytes)
		munmap(image->bytes, image->loaded);
	image->bytes = NULL;
}

void image_fini(struct image *image)
{
	image_unload(image);
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
