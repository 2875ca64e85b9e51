/* SPDX-License-Identifier: MIT
 *
 * The ELF files that a process has mapped. Headers are read from its memory, which is the
 * truth; symbols from the file when it is provably the same one, else from memory too.
 *
 * The invariant: modules are sorted, disjoint, and each has executable code mapped.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/elf/own_libc.h"
#include "inject/target/parts.h"

#define PAGE       4096u
#define EXTENT_MAX ((uint64_t)4 << 30)
#define VDSO       "[vdso]"

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_vdso(const char *path)
{
	return !strcmp(path, VDSO);
}

/* A descriptor of the very file that is mapped at `map`, or -1. A path leads to whatever is
 * there now: only the same inode will do. The device is not compared, since btrfs and overlayfs
 * show another one in maps than stat() does. */
static int open_mapped(const struct target *target, const struct map *map)
{
	char name[sizeof("root") + 4096];
	struct stat st;
	int fd;

	snprintf(name, sizeof(name), "map_files/%llx-%llx", (unsigned long long)map->start.v,
		 (unsigned long long)map->end.v);
	fd = openat(target->procfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && !map->deleted) { /* map_files needs CAP_CHECKPOINT_RESTORE */
		snprintf(name, sizeof(name), "root%s", map->path);
		fd = openat(target->procfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	}
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_ino != map->inode) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool read_first_page(const struct target *target, const struct map *map, uint8_t *page)
{
	struct hp_err ignored;

	if (target_read(target, map->start, page, PAGE, &ignored) == 0)
		return true;
	/* Yama may let us see the mappings but not the memory: list still works from the file.
	 */
	_cleanup_fd_ int fd = map->inode ? open_mapped(target, map) : -1;
	return fd >= 0 && pread(fd, page, PAGE, 0) == (ssize_t)PAGE;
}

static uint64_t extent_end(const struct module *module)
{
	uint64_t end = module->start.v;

	for (size_t i = 0; i < module->image.segment_count; i++) {
		const struct elf_segment *s = &module->image.segments[i];
		uint64_t segment_end = module->bias + s->vaddr + s->memsz;

		if (segment_end > end)
			end = segment_end;
	}
	return (end + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

/* Files are also mapped as data, and then have no code in their extent. */
static bool has_code(const struct maps *maps, const struct map *first, remote_addr end)
{
	for (const struct map *map = first; map < maps->items + maps->count; map++) {
		if (map->start.v >= end.v)
			break;
		if ((map->prot & MAP_EXEC) && !strcmp(map->path, first->path))
			return true;
	}
	return false;
}

/* Whether `map` begins an ELF file; then *out is it, with its headers. */
static bool module_init(struct module *out, const struct target *target, const struct map *map)
{
	uint8_t page[PAGE];
	struct hp_err ignored;

	if (map->file_offset || (map->path[0] != '/' && !is_vdso(map->path)) ||
	    !read_first_page(target, map, page) || memcmp(page, ELFMAG, SELFMAG) != 0)
		return false;
	struct module module = {
		.path = map->path, .start = map->start, .deleted = map->deleted};
	if (elf_image_parse_headers(&module.image, (struct span){page, sizeof(page)},
				    &ignored) < 0)
		return false;
	module.bias = elf_image_bias(&module.image, map->start.v);
	module.end = addr_of(extent_end(&module));
	if (module.end.v - module.start.v > EXTENT_MAX ||
	    !has_code(&target->maps, map, module.end)) {
		elf_image_fini(&module.image);
		return false;
	}
	*out = module;
	return true;
}

/* The kernel's link and its list of mappings write the same file in the same way. */
static const struct module *executable_of(const struct target *target)
{
	char link[4096 + 16];
	ssize_t len = readlinkat(target->procfd, "exe", link, sizeof(link) - 1);
	static const char suffix[] = " (deleted)";

	if (len <= 0)
		return NULL;
	link[len] = '\0';
	size_t cut = (size_t)len - (sizeof(suffix) - 1);
	if ((size_t)len > sizeof(suffix) && !strcmp(link + cut, suffix))
		link[cut] = '\0';
	for (size_t i = 0; i < target->module_count; i++) {
		if (!strcmp(target->modules[i].path, link))
			return &target->modules[i];
	}
	return NULL;
}

int modules_find(struct target *target, struct hp_err *err)
{
	const struct maps *maps = &target->maps;
	remote_addr known_until = addr_of(0);

	target->modules = reallocarray(NULL, maps->count + 1, sizeof(*target->modules));
	if (!target->modules)
		return hp_err_set(err, HP_SYSTEM, 0, "no memory for the list of files");
	for (size_t i = 0; i < maps->count; i++) {
		struct module *module = &target->modules[target->module_count];

		if (maps->items[i].start.v < known_until.v ||
		    !module_init(module, target, &maps->items[i]))
			continue;
		known_until = module->end;
		target->module_count++;
	}
	target->executable = executable_of(target);
	return 0;
}

static int read_target(void *context, uint64_t addr, void *out, size_t len)
{
	struct hp_err ignored;

	return target_read(context, addr_of(addr), out, len, &ignored);
}

static bool same_build(const struct elf_image *a, const struct elf_image *b)
{
	if (a->machine != b->machine || a->segment_count != b->segment_count)
		return false;
	return a->build_id_len == b->build_id_len &&
	       !memcmp(a->build_id, b->build_id, a->build_id_len);
}

static int load_file(struct elf_image *out, const struct target *target,
		     const struct module *module)
{
	const struct map *map = maps_find(&target->maps, module->start);
	_cleanup_fd_ int fd = map && map->inode ? open_mapped(target, map) : -1;
	struct elf_image image = {0};
	struct hp_err ignored;

	if (fd < 0 || (!own_libc_image(&image, fd) && elf_image_read(&image, fd, &ignored) < 0))
		return -1;
	if (!same_build(&image,
			&module->image)) { /* overwritten in place since it was mapped */
		elf_image_fini(&image);
		return -1;
	}
	*out = image;
	return 0;
}

int module_load(const struct target *target, struct module *module, struct hp_err *err)
{
	struct elf_image image;
	struct target *context =
		(struct target *)(uintptr_t)target; /* read_target() does not write */

	if (module->loaded)
		return 0;
	if (load_file(&image, target, module) < 0 &&
	    elf_image_read_memory(&image, read_target, context, module->start.v, err) < 0)
		return hp_err_wrap(err, "%s", module->path);
	elf_image_fini(&module->image);
	module->image = image;
	module->loaded = true;
	return 0;
}

const struct module *target_module_at(const struct target *target, remote_addr addr)
{
	size_t low = 0, high = target->module_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct module *module = &target->modules[middle];

		if (addr_in(addr, module->start, module->end))
			return module;
		if (addr.v < module->start.v)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct module *module_bound_to(const struct target *target, const struct module *from,
				     const char *name)
{
	const struct elf_import *import = NULL;
	struct hp_err ignored;

	if (!from)
		return NULL;
	while ((import = elf_image_import(&from->image, name, import))) {
		uint64_t value;
		const struct module *module;

		if (target_read(target, addr_of(from->bias + import->slot), &value,
				sizeof(value), &ignored) < 0)
			continue;
		module = target_module_at(target, addr_of(value));
		if (module && module != from) /* itself: its PLT, not bound yet */
			return module;
	}
	return NULL;
}

static remote_addr symbol_in(const struct module *module, const char *name)
{
	struct elf_symbol symbol;
	remote_addr addr;

	if (!module || !module->loaded || !elf_image_find(&symbol, &module->image, name) ||
	    symbol.is_ifunc)
		return addr_of(0);
	addr = addr_of(module->bias + symbol.value);
	return addr_in(addr, module->start, module->end) ? addr : addr_of(0);
}

remote_addr target_libc_symbol(const struct target *target, const char *name)
{
	return symbol_in(target->libc.module, name);
}

remote_addr target_symbol(const struct target *target, const char *name)
{
	bool is_python = !strncmp(name, "Py", 2) || !strncmp(name, "_Py", 3);
	const struct module *scope[] = {
		is_python ? target->python.module : NULL,
		target->executable,
		target->python.module,
		target->libc.module,
		target->libc.pthread,
		target->libc.malloc_module,
	};
	for (size_t i = 0; i < sizeof(scope) / sizeof(*scope); i++) {
		remote_addr addr = symbol_in(scope[i], name);

		if (!addr_is_null(addr))
			return addr;
	}
	return addr_of(0);
}
