/* SPDX-License-Identifier: MIT
 *
 * See own_libc.h. A page that is copied costs a page of memory, and libc's tables have 33; the
 * loader has looked at ours, and they stay for as long as we run.
 */
#include "inject/elf/own_libc.h"

#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

struct wanted {
	struct stat file;
	const void *base; /* where its first byte is mapped */
};

static bool is_libc(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && !strncmp(slash, "/libc.", strlen("/libc."));
}

static const void *base_of(const struct dl_phdr_info *info)
{
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD && !p->p_offset)
			return (void *)(uintptr_t)(info->dlpi_addr + p->p_vaddr); /* NOLINT */
	}
	return NULL;
}

static int look(struct dl_phdr_info *info, size_t size, void *context)
{
	struct wanted *wanted = context;
	struct stat st;

	(void)size;
	if (!is_libc(info->dlpi_name) || stat(info->dlpi_name, &st) < 0 ||
	    st.st_dev != wanted->file.st_dev || st.st_ino != wanted->file.st_ino)
		return 0;
	wanted->base = base_of(info);
	return 1;
}

bool own_libc_image(struct elf_image *out, int fd)
{
	struct wanted wanted = {.base = NULL};
	struct elf_image image;
	struct hp_err ignored;

	if (fstat(fd, &wanted.file) < 0 || !dl_iterate_phdr(look, &wanted) || !wanted.base ||
	    elf_image_borrow(&image, wanted.base, &ignored) < 0)
		return false;
	if (!image.build_id_len) {
		elf_image_fini(&image);
		return false;
	}
	*out = image;
	return true;
}
