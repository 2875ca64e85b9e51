/* SPDX-License-Identifier: MIT
 *
 * See image_file.h. The invariant: nothing is mapped or copied that the file did not have when
 * it was opened.
 */
#include "inject/session/image_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inject/base/cleanup.h"

static uint64_t page_up(uint64_t v)
{
	return (v + IMAGE_PAGE - 1) & ~(uint64_t)(IMAGE_PAGE - 1);
}

int image_damaged(struct hp_err *err, const char *what)
{
	return hp_err_set(err, HP_INTERNAL, 0, "the payload file is damaged: %s", what);
}

static bool file_has(const struct image_file *file, uint64_t offset, uint64_t len)
{
	return offset <= file->size && len <= file->size - offset;
}

static bool file_read(const struct image_file *file, void *out, uint64_t offset, uint64_t len)
{
	if (!file_has(file, offset, len))
		return false;
	if (file->fd >= 0)
		return pread(file->fd, out, len, (off_t)offset) == (ssize_t)len;
	if (len)
		memcpy(out, file->bytes + offset, len);
	return true;
}

/* What is written to in each attach is copied at once. */
static bool file_map(const struct image_file *file, uint8_t *to, uint64_t offset, uint64_t len,
		     bool is_data)
{
	const uint64_t before = offset % IMAGE_PAGE;
	const int flags = MAP_PRIVATE | MAP_FIXED | (is_data ? MAP_POPULATE : 0);

	return mmap(to - before, len + before, PROT_READ | PROT_WRITE, flags, file->fd,
		    (off_t)(offset - before)) != MAP_FAILED;
}

static int header_read(Elf64_Ehdr *ehdr, const struct image_file *file, struct hp_err *err)
{
	if (!file_read(file, ehdr, 0, sizeof(*ehdr)))
		return image_damaged(err, "too short");
	if (memcmp(ehdr->e_ident, ELFMAG, SELFMAG) != 0 ||
	    ehdr->e_ident[EI_CLASS] != ELFCLASS64 || ehdr->e_type != ET_DYN ||
	    ehdr->e_machine != EM_X86_64 || ehdr->e_phentsize != sizeof(Elf64_Phdr))
		return image_damaged(err, "not a shared object for x86-64");
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
		    p->p_filesz > p->p_memsz ||
		    p->p_vaddr / IMAGE_PAGE * IMAGE_PAGE < page_up(end) ||
		    (p->p_vaddr - p->p_offset) % IMAGE_PAGE != 0)
			return image_damaged(err, "segments");
		if ((p->p_flags & PF_W) && (p->p_flags & PF_X))
			return image_damaged(err, "a segment is both writable and executable");
		if ((p->p_flags & PF_W) && data_end != end)
			return image_damaged(err, "data after tables");
		if ((p->p_flags & PF_X) && text_end)
			return image_damaged(err, "text after data");
		if ((p->p_flags & PF_W) && !text_end)
			text_end = p->p_vaddr & ~(uint64_t)(IMAGE_PAGE - 1);
		end = p->p_vaddr + p->p_memsz;
		if ((p->p_flags & PF_W) || !text_end)
			data_end = end;
	}
	image->loaded = page_up(end);
	image->size = page_up(data_end);
	image->text_size = text_end ? text_end : image->size;
	return image->size ? 0 : image_damaged(err, "no segments");
}

/* Into zeros. */
static int load_segment(const struct image *image, const struct image_file *file,
			const Elf64_Phdr *p, struct hp_err *err)
{
	uint8_t *to = image->bytes + p->p_vaddr;
	const uint64_t end = p->p_vaddr + p->p_filesz;

	if (!file_has(file, p->p_offset, p->p_filesz))
		return image_damaged(err, "a segment ends after the file");
	if (file->fd < 0) {
		memcpy(to, file->bytes + p->p_offset, p->p_filesz);
		return 0;
	}
	if (!file_map(file, to, p->p_offset, p->p_filesz, p->p_flags & PF_W))
		return hp_err_set(err, HP_SYSTEM, errno, "map the payload");
	if (p->p_memsz > p->p_filesz)
		memset(image->bytes + end, 0, page_up(end) - end);
	return 0;
}

static int load(struct image *image, const struct image_file *file, const Elf64_Phdr *phdrs,
		size_t count, struct hp_err *err)
{
	void *room;

	if (measure(image, phdrs, count, err) < 0)
		return -1;
	room = mmap(NULL, image->loaded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	if (room == MAP_FAILED)
		return hp_err_set(err, HP_SYSTEM, errno, "load the payload");
	image->bytes = room;
	for (size_t i = 0; i < count; i++)
		if (phdrs[i].p_type == PT_LOAD && phdrs[i].p_filesz &&
		    load_segment(image, file, &phdrs[i], err) < 0)
			return -1;
	return 0;
}

int image_file_load(struct image *image, Elf64_Phdr **phdrs_out, size_t *count_out,
		    const struct image_file *file, struct hp_err *err)
{
	_cleanup_free_ Elf64_Phdr *phdrs = NULL;
	Elf64_Ehdr ehdr;

	if (header_read(&ehdr, file, err) < 0)
		return -1;
	phdrs = calloc(ehdr.e_phnum + 1u, sizeof(*phdrs));
	if (!phdrs)
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "link the payload");
	if (!file_read(file, phdrs, ehdr.e_phoff, ehdr.e_phnum * sizeof(*phdrs)))
		return image_damaged(err, "program headers");
	if (load(image, file, phdrs, ehdr.e_phnum, err) < 0)
		return -1;
	*count_out = ehdr.e_phnum;
	*phdrs_out = take_ptr(&phdrs);
	return 0;
}
