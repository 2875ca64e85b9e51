/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/cleanup.h"
#include "inject/base/name_hash.h"
#include "inject/elf/elf_image.h"
#include "inject/elf/own_libc.h"

static int read_self(void *context, uint64_t addr, void *out, size_t len)
{
	struct iovec here = {out, len}, there = {(void *)(uintptr_t)addr, len};

	(void)context;
	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)len ? 0 : -1;
}

struct loaded {
	const char *wanted;
	char path[512];
	uint64_t bias;
};

static int match_loaded(struct dl_phdr_info *info, size_t size, void *context)
{
	struct loaded *loaded = context;

	(void)size;
	if (!strstr(info->dlpi_name, loaded->wanted))
		return 0;
	snprintf(loaded->path, sizeof(loaded->path), "%s", info->dlpi_name);
	loaded->bias = info->dlpi_addr;
	return 1;
}

static struct loaded find_loaded(const char *name)
{
	struct loaded loaded = {.wanted = name};

	cr_assert(eq(int, dl_iterate_phdr(match_loaded, &loaded), 1), "%s is not loaded", name);
	return loaded;
}

static void read_path(struct elf_image *out, const char *path)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct hp_err err = {0};

	cr_assert(ge(int, fd, 0));
	cr_assert(eq(int, elf_image_read(out, fd, &err), 0), "%s", err.text);
}

/* In libc itself: a sanitizer puts functions of its own before it. */
static uint64_t address_of(const char *name)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);

	cr_assert(ne(ptr, libc, NULL));
	uint64_t address = (uintptr_t)dlsym(libc, name);
	dlclose(libc);
	return address;
}

Test(elf, libc_functions_are_where_the_loader_put_them)
{
	static const char *const names[] = {"munmap", "pthread_create", "read", "environ",
					    "stdout"};
	struct loaded libc = find_loaded("/libc.so.6");
	struct elf_symbol symbol;
	struct elf_image image;

	read_path(&image, libc.path);
	cr_assert(eq(u32, image.machine, EM_X86_64));
	cr_assert(image.is_pie);
	cr_assert(lt(sz, 0, image.build_id_len));
	cr_assert(lt(u64, 0, image.eh_frame_hdr));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		cr_assert(elf_image_find(&symbol, &image, names[i]), "%s", names[i]);
		if (i < 3) /* variables may have been copied into the executable */
			cr_assert(eq(u64, libc.bias + symbol.value, address_of(names[i])), "%s",
				  names[i]);
		cr_assert(eq(int, symbol.is_function, i < 3), "%s", names[i]);
	}
	cr_assert(not(elf_image_find(&symbol, &image, "no_such_function")));
	cr_assert(not(elf_image_find(&symbol, &image, "")));
	cr_assert(elf_image_find(&symbol, &image, "memcpy") && symbol.is_ifunc);
	cr_assert(elf_image_find(&symbol, &image, "munmap") && !symbol.is_ifunc);
	elf_image_fini(&image);
}

/* The functions with a size, by rising address. */
static size_t list_functions(uint32_t **out, const struct elf_image *image)
{
	uint32_t *numbers = calloc(image->symbols.count + 1, sizeof(*numbers));
	struct elf_symbol symbol;
	size_t count = 0;

	for (size_t i = 0; i < image->symbols.count; i++)
		if (elf_image_symbol(&symbol, image, i) && symbol.is_function && symbol.size)
			numbers[count++] = (uint32_t)i;
	cr_assert(zero(int, elf_image_sort(numbers, count, image, &(struct hp_err){0})));
	*out = numbers;
	return count;
}

Test(elf, functions_are_sorted)
{
	struct elf_image image;
	uint32_t *functions;
	size_t count;

	read_path(&image, find_loaded("/libc.so.6").path);
	count = list_functions(&functions, &image);
	cr_assert(lt(sz, 1000, count));
	for (size_t i = 1; i < count; i++) {
		const uint64_t before = image.symbols.items[functions[i - 1]].st_value;
		const uint64_t value = image.symbols.items[functions[i]].st_value;

		cr_assert(before < value ||
			  (before == value && functions[i - 1] < functions[i]));
	}
	free(functions);
	elf_image_fini(&image);
}

static size_t count_named(const struct elf_image *image, const char *name)
{
	struct elf_symbol symbol;
	size_t count = 0;

	for (size_t i = 0; i < image->symbols.count; i++)
		count += elf_image_symbol(&symbol, image, i) && !strcmp(symbol.name, name);
	return count;
}

Test(elf, the_default_version_of_a_name_is_found)
{
	/* Both have an older version with other code in glibc on x86-64. */
	static const char *const names[] = {"pthread_cond_wait", "realpath"};
	struct loaded libc = find_loaded("/libc.so.6");
	struct elf_image image;

	read_path(&image, libc.path);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct elf_symbol symbol;

		cr_assert(elf_image_find(&symbol, &image, names[i]) && !symbol.is_hidden);
		cr_assert(lt(sz, 1, count_named(&image, names[i])));
		cr_assert(eq(u64, libc.bias + symbol.value, address_of(names[i])));
	}
	elf_image_fini(&image);
}

Test(elf, an_address_belongs_to_the_symbol_that_holds_it)
{
	struct elf_symbol function, found;
	struct elf_image image;
	uint32_t *functions;
	size_t gaps = 0, count;
	uint64_t end = 0;

	read_path(&image, find_loaded("/libc.so.6").path);
	cr_assert(elf_image_find(&function, &image, "munmap"));
	const uint64_t start = function.value, size = function.size;
	cr_assert(lt(u64, 4, size));
	cr_assert(elf_image_at(&found, &image, start) && found.value == start);
	cr_assert(elf_image_at(&found, &image, start + size - 1) && found.value == start);
	cr_assert(not(elf_image_at(&found, &image, start + size) && found.value == start));
	cr_assert(not(elf_image_at(&found, &image, 0)));
	cr_assert(not(elf_image_at(&found, &image, UINT64_MAX)));

	/* Code between two exported functions is nobody's, never "the nearest before". */
	count = list_functions(&functions, &image);
	for (size_t i = 0; i + 1 < count; i++) {
		cr_assert(elf_image_symbol(&function, &image, functions[i]));
		if (function.value + function.size > end)
			end = function.value + function.size;
		if (end < image.symbols.items[functions[i + 1]].st_value && ++gaps)
			cr_assert(not(elf_image_at(&found, &image, end)));
	}
	cr_assert(lt(sz, 100, gaps));
	free(functions);
	elf_image_fini(&image);
}

static void assert_same(const struct elf_image *a, const struct elf_image *b)
{
	struct elf_symbol x, y;

	cr_assert(eq(sz, a->symbols.count, b->symbols.count));
	for (size_t i = 0; i < a->symbols.count; i++) {
		const bool is_one = elf_image_symbol(&x, a, i);

		cr_assert(eq(int, is_one, elf_image_symbol(&y, b, i)));
		if (!is_one)
			continue;
		cr_assert(eq(str, x.name, y.name));
		cr_assert(eq(u64, x.value, y.value));
		cr_assert(eq(u64, x.size, y.size));
	}
	cr_assert(eq(sz, a->import_count, b->import_count));
	for (size_t i = 0; i < a->import_count; i++) {
		cr_assert(eq(str, a->imports[i].name, b->imports[i].name));
		cr_assert(eq(u64, a->imports[i].slot, b->imports[i].slot));
	}
	cr_assert(eq(sz, a->build_id_len, b->build_id_len));
	cr_assert(eq(int, memcmp(a->build_id, b->build_id, a->build_id_len), 0));
	cr_assert(eq(u64, a->eh_frame_hdr, b->eh_frame_hdr));
}

Test(elf, memory_tells_the_same_as_the_file)
{
	static const char *const names[] = {"/libc.so.6", "/libcriterion", "/ld-linux"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct loaded loaded = find_loaded(names[i]);
		struct elf_image file, memory;
		struct hp_err err = {0};

		read_path(&file, loaded.path);
		cr_assert(eq(int,
			     elf_image_read_memory(&memory, read_self, NULL, loaded.bias, &err),
			     0),
			  "%s: %s", names[i], err.text);
		cr_assert(eq(u64, elf_image_bias(&memory, loaded.bias), loaded.bias));
		assert_same(&file, &memory);
		elf_image_fini(&memory);
		cr_assert(eq(int,
			     elf_image_borrow(&memory, (void *)(uintptr_t)loaded.bias, &err),
			     0),
			  "%s: %s", names[i], err.text);
		assert_same(&file, &memory);
		elf_image_fini(&file);
		elf_image_fini(&memory);
	}
}

/* A copy has another inode. */
Test(elf, the_libc_that_we_run_on_is_known)
{
	const struct loaded libc = find_loaded("/libc.so.6");
	_cleanup_fd_ int fd = open(libc.path, O_RDONLY | O_CLOEXEC);
	_cleanup_fd_ int copy = memfd_create("libc.so.6", MFD_CLOEXEC);
	struct elf_image ours, file;
	struct stat st;

	cr_assert(own_libc_image(&ours, fd));
	read_path(&file, libc.path);
	assert_same(&file, &ours);
	cr_assert(zero(ptr, ours.file)); /* nothing of it was read */
	elf_image_fini(&ours);
	elf_image_fini(&file);

	cr_assert(zero(int, fstat(fd, &st)));
	cr_assert(eq(i64, sendfile(copy, fd, NULL, (size_t)st.st_size), st.st_size));
	cr_assert(not(own_libc_image(&ours, copy)));
	cr_assert(not(own_libc_image(&ours, -1)));
}

Test(elf, imports_lead_to_what_the_loader_bound)
{
	struct elf_image image;
	const struct elf_import *import;
	struct hp_err err = {0};
	struct dl_find_object here;

	cr_assert(lt(int, 0, getppid())); /* so that a lazily bound slot is filled */
	read_path(&image, "/proc/self/exe");
	cr_assert(eq(int, _dl_find_object((void *)(uintptr_t)&read_self, &here), 0));
	uint64_t base = (uintptr_t)here.dlfo_map_start;
	import = elf_image_import(&image, "getppid", NULL);
	cr_assert(not(zero(ptr, import)));
	uint64_t *slot = (uint64_t *)(uintptr_t)(elf_image_bias(&image, base) + import->slot);
	cr_assert(eq(u64, *slot, address_of("getppid")));
	cr_assert(zero(ptr, elf_image_import(&image, "no_such_function", NULL)));
	cr_assert(zero(ptr, elf_image_import(&image, "getppid", import)));
	elf_image_fini(&image);
	(void)err;
}

Test(elf, imports_are_found_that_have_no_plt)
{
	struct elf_image image;

	read_path(&image, NO_PLT);
	cr_assert(not(zero(ptr, elf_image_import(&image, "malloc", NULL))));
	cr_assert(not(zero(ptr, elf_image_import(&image, "getppid", NULL))));
	elf_image_fini(&image);
}

/* The vDSO: a whole small ELF file in memory, section headers included. */
static struct span vdso_bytes(void)
{
	const uint8_t *start = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);

	return (struct span){start, 4096};
}

Test(elf, the_vdso_is_read_from_memory)
{
	struct elf_symbol symbol;
	struct elf_image image;
	struct hp_err err = {0};
	uint64_t base = getauxval(AT_SYSINFO_EHDR);

	if (!base)
		cr_skip("this kernel gives no vDSO");
	cr_assert(eq(int, elf_image_read_memory(&image, read_self, NULL, base, &err), 0), "%s",
		  err.text);
	cr_assert(elf_image_find(&symbol, &image, "__vdso_clock_gettime"));
	cr_assert(symbol.is_function);
	elf_image_fini(&image);
}

Test(elf, a_static_program_has_its_symbol_table)
{
	struct elf_symbol symbol;
	struct elf_image image;

	read_path(&image, STATIC_VICTIM);
	cr_assert(elf_image_find(&symbol, &image, "main"));
	cr_assert(symbol.is_function);
	cr_assert(eq(sz, image.import_count, 0));
	elf_image_fini(&image);
}

Test(elf, what_is_no_elf_is_refused)
{
	static const char text[] = "#!/bin/sh\nexit 0\n";
	struct elf_image image;
	struct hp_err err;
	struct span none = {(const uint8_t *)text, 0};
	struct span script = {(const uint8_t *)text, sizeof(text)};

	cr_assert(eq(int, elf_image_parse(&image, none, &err), -1));
	cr_assert(eq(int, elf_image_parse(&image, script, &err), -1));
	cr_assert(eq(int, elf_image_parse_headers(&image, script, &err), -1));
	cr_assert(eq(int,
		     elf_image_parse(&image, (struct span){(const uint8_t *)ELFMAG, 4}, &err),
		     -1));
}

Test(elf, a_32_bit_file_yields_its_headers)
{
	Elf32_Ehdr ehdr = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB,
			    EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(ehdr),
	};
	struct elf_symbol symbol;
	struct elf_image image;
	struct hp_err err = {0};

	cr_assert(eq(int,
		     elf_image_parse(&image,
				     (struct span){(const uint8_t *)&ehdr, sizeof(ehdr)}, &err),
		     0),
		  "%s", err.text);
	cr_assert(eq(u32, image.elf_class, ELFCLASS32));
	cr_assert(eq(u32, image.machine, EM_386));
	cr_assert(eq(sz, image.symbols.count, 0));
	cr_assert(not(elf_image_find(&symbol, &image, "x")));
	cr_assert(not(elf_image_at(&symbol, &image, 1)));
	elf_image_fini(&image);
}

/* Whatever comes out must at least be usable without reading out of bounds. */
static void use(const struct elf_image *image)
{
	struct elf_symbol symbol, found;

	for (size_t i = 0; i < image->symbols.count; i++) {
		if (!elf_image_symbol(&symbol, image, i))
			continue;
		cr_assert(lt(sz, 0, strlen(symbol.name)));
		elf_image_at(&found, image, symbol.value);
	}
	for (size_t i = 0; i < image->import_count; i++)
		cr_assert(lt(sz, 0, strlen(image->imports[i].name)));
	elf_image_find(&found, image, "x");
}

static bool parse_and_use(const uint8_t *bytes, size_t len)
{
	struct elf_image image;
	struct hp_err err = {0};

	if (elf_image_parse(&image, (struct span){bytes, len}, &err) < 0) {
		cr_assert(ne(str, err.text, ""));
		return false;
	}
	use(&image);
	elf_image_fini(&image);
	return true;
}

Test(elf, truncated_files_are_refused_or_harmless)
{
	struct span whole = vdso_bytes();
	uint8_t *copy;

	if (!whole.data)
		cr_skip("this kernel gives no vDSO");
	for (size_t len = 0; len < whole.len; len += 7) {
		copy = malloc(len + 1); /* its own block, so that a sanitizer sees the end */
		memcpy(copy, whole.data, len);
		if (len < sizeof(Elf64_Ehdr))
			cr_assert(not(parse_and_use(copy, len)));
		else
			parse_and_use(copy, len);
		free(copy);
	}
}

Test(elf, damaged_files_are_refused_or_harmless)
{
	struct span whole = vdso_bytes();
	uint8_t copy[8192];
	unsigned seed = 4711, accepted = 0;

	if (!whole.data)
		cr_skip("this kernel gives no vDSO");
	for (int round = 0; round < 3000; round++) {
		memcpy(copy, whole.data, whole.len);
		for (int k = 0; k < 1 + round % 4; k++) {
			size_t at = (unsigned)rand_r(&seed) % (round % 2 ? 1024 : whole.len);
			copy[at] = (uint8_t)rand_r(&seed);
		}
		accepted += parse_and_use(copy, whole.len);
	}
	/* Most single bytes are no matter of ours, so both outcomes were tried. */
	cr_assert(lt(u32, 100, accepted));
	cr_assert(lt(u32, accepted, 3000));
}

static uint8_t *vdso_copy(void)
{
	struct span whole = vdso_bytes();
	uint8_t *page = aligned_alloc(4096, 4096);

	if (!whole.data)
		cr_skip("this kernel gives no vDSO");
	memcpy(page, whole.data, 4096);
	return page;
}

Test(elf, a_file_in_memory_of_a_senseless_size_is_refused)
{
	_cleanup_free_ uint8_t *page = vdso_copy();
	struct elf_image image;
	struct hp_err err = {0};
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)(void *)page;
	Elf64_Phdr *phdr = (Elf64_Phdr *)(void *)(page + ehdr->e_phoff);

	for (int i = 0; i < ehdr->e_phnum; i++)
		phdr[i].p_filesz = UINT64_MAX - 5;
	cr_assert(eq(int, elf_image_read_memory(&image, read_self, NULL, (uintptr_t)page, &err),
		     -1));
}

/* Found by fuzzing: a file offset far behind the others made us provide for all that lies
 * between. */
Test(elf, a_far_file_offset_in_memory_is_refused)
{
	_cleanup_free_ uint8_t *page = vdso_copy();
	struct elf_image image;
	struct hp_err err = {0};
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)(void *)page;
	Elf64_Phdr *phdr = (Elf64_Phdr *)(void *)(page + ehdr->e_phoff);

	phdr[1].p_type = PT_LOAD;
	phdr[1].p_flags = PF_R;
	phdr[1].p_vaddr = 0;
	phdr[1].p_filesz = 1;
	phdr[1].p_offset = (uint64_t)255 << 20;
	phdr[0].p_filesz = 4096;
	cr_assert(eq(int, elf_image_read_memory(&image, read_self, NULL, (uintptr_t)page, &err),
		     -1));
	cr_assert(ne(ptr, strstr(err.text, "senseless size"), NULL), "%s", err.text);
}
