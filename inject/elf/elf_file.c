/* SPDX-License-Identifier: MIT
 *
 * The only file that knows libelf. It reads by pread, never by mmap: a foreign file that is cut
 * short meanwhile must give an error, not a SIGBUS.
 */
#include "inject/elf/elf_file.h"

#include <stdlib.h>
#include <string.h>

#include <gelf.h>
#include <libelf.h>

#include "inject/base/cleanup.h"

/* More than any linker writes; a count above it is an attack or garbage. */
#define PHDR_MAX 512

static int not_elf(struct hp_err *err)
{
	return hp_err_set(err, HP_UNSUPPORTED, 0, "not a readable ELF file (%s)",
			  elf_errmsg(-1));
}

int elf_file_open(struct elf_file *out, int fd, struct hp_err *err)
{
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf)
		return not_elf(err);
	*out = (struct elf_file){.elf = elf};
	return 0;
}

int elf_file_take_bytes(struct elf_file *out, uint8_t **bytes, size_t len, struct hp_err *err)
{
	_cleanup_free_ uint8_t *owned = take_ptr(bytes);

	elf_version(EV_CURRENT);
	Elf *elf = elf_memory((char *)owned, len);
	if (!elf)
		return not_elf(err);
	*out = (struct elf_file){.elf = elf, .bytes = take_ptr(&owned)};
	return 0;
}

int elf_file_from_bytes(struct elf_file *out, struct span bytes, struct hp_err *err)
{
	uint8_t *copy = malloc(bytes.len + 1);

	if (!copy)
		return hp_err_set(err, HP_SYSTEM, 0, "no memory for an ELF file");
	if (bytes.len)
		memcpy(copy, bytes.data, bytes.len);
	return elf_file_take_bytes(out, &copy, bytes.len, err);
}

void elf_file_map(struct elf_file *out, const struct elf_image *headers, uint64_t bias)
{
	*out = (struct elf_file){.mapped = headers, .bias = bias};
}

void elf_file_detach(struct elf_file *file)
{
	elf_cntl(file->elf, ELF_C_FDDONE);
}

void elf_file_fini(struct elf_file *file)
{
	if (file->elf)
		elf_end(file->elf);
	free(file->bytes);
	*file = (struct elf_file){0};
}

static void take_segment(struct elf_image *image, const GElf_Phdr *phdr)
{
	image->segments[image->segment_count++] = (struct elf_segment){
		.vaddr = phdr->p_vaddr,
		.memsz = phdr->p_memsz,
		.filesz = phdr->p_filesz,
		.offset = phdr->p_offset,
		.read = phdr->p_flags & PF_R,
		.write = phdr->p_flags & PF_W,
		.exec = phdr->p_flags & PF_X,
	};
}

static void take_build_id(struct elf_image *image, Elf *elf, const GElf_Phdr *phdr)
{
	Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)phdr->p_offset, phdr->p_filesz,
					      phdr->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
	size_t at = 0, name_at, desc_at;
	GElf_Nhdr note;

	while (data && (at = gelf_getnote(data, at, &note, &name_at, &desc_at)) > 0) {
		const char *bytes = data->d_buf;

		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
		    memcmp(bytes + name_at, "GNU", 4) != 0 ||
		    note.n_descsz > sizeof(image->build_id))
			continue;
		memcpy(image->build_id, bytes + desc_at, note.n_descsz);
		image->build_id_len = note.n_descsz;
		return;
	}
}

static void take_phdr(struct elf_image *image, Elf *elf, const GElf_Phdr *phdr)
{
	switch (phdr->p_type) {
	case PT_LOAD:
		take_segment(image, phdr);
		break;
	case PT_DYNAMIC:
		image->dynamic = phdr->p_vaddr;
		image->dynamic_offset = phdr->p_offset;
		image->dynamic_size = phdr->p_filesz;
		break;
	case PT_GNU_EH_FRAME:
		image->eh_frame_hdr = phdr->p_vaddr;
		image->eh_frame_hdr_size = phdr->p_memsz;
		break;
	case PT_NOTE:
		if (!image->build_id_len)
			take_build_id(image, elf, phdr);
		break;
	default:
		break;
	}
}

int elf_file_headers(const struct elf_file *file, struct elf_image *image, struct hp_err *err)
{
	GElf_Ehdr ehdr;
	size_t count;

	if (elf_kind(file->elf) != ELF_K_ELF || !gelf_getehdr(file->elf, &ehdr) ||
	    elf_getphdrnum(file->elf, &count) < 0)
		return not_elf(err);
	if (count > PHDR_MAX)
		return hp_err_set(err, HP_UNSUPPORTED, 0, "an ELF file with %zu segments",
				  count);
	image->machine = ehdr.e_machine;
	image->elf_class = ehdr.e_ident[EI_CLASS];
	image->is_pie = ehdr.e_type == ET_DYN;
	image->segments = calloc(count + 1, sizeof(*image->segments));
	if (!image->segments)
		return hp_err_set(err, HP_SYSTEM, 0, "no memory for an ELF file");
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr phdr;

		if (!gelf_getphdr(file->elf, (int)i, &phdr))
			return not_elf(err);
		take_phdr(image, file->elf, &phdr);
	}
	return 0;
}

static const void *mapped_chunk(const struct elf_file *file, uint64_t offset, uint64_t len)
{
	for (size_t i = 0; i < file->mapped->segment_count; i++) {
		const struct elf_segment *s = &file->mapped->segments[i];
		const uint64_t at = offset - s->offset;

		if (s->read && offset >= s->offset && at <= s->filesz && len <= s->filesz - at)
			return (void *)(uintptr_t)(file->bias + s->vaddr + at); /* NOLINT */
	}
	return NULL;
}

const void *elf_file_chunk(const struct elf_file *file, uint64_t offset, uint64_t len,
			   enum elf_chunk type)
{
	static const Elf_Type types[] = {
		[ELF_CHUNK_BYTES] = ELF_T_BYTE, [ELF_CHUNK_HALF] = ELF_T_HALF,
		[ELF_CHUNK_WORD] = ELF_T_WORD,  [ELF_CHUNK_DYN] = ELF_T_DYN,
		[ELF_CHUNK_SYM] = ELF_T_SYM,    [ELF_CHUNK_RELA] = ELF_T_RELA,
	};

	if (!len || offset > INT64_MAX || len > SIZE_MAX / 2)
		return NULL;
	if (file->mapped)
		return mapped_chunk(file, offset, len);
	const Elf_Data *data =
		elf_getdata_rawchunk(file->elf, (int64_t)offset, len, types[type]);
	return data && data->d_size == len ? data->d_buf : NULL;
}

bool elf_file_symtab(const struct elf_file *file, struct elf_symtab *out)
{
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(file->elf, scn));) {
		GElf_Shdr shdr, strings;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_SYMTAB)
			continue;
		Elf_Scn *strings_scn = elf_getscn(file->elf, shdr.sh_link);
		if (!strings_scn || !gelf_getshdr(strings_scn, &strings))
			return false;
		*out = (struct elf_symtab){shdr.sh_offset, shdr.sh_size, strings.sh_offset,
					   strings.sh_size};
		return true;
	}
	return false;
}
