/* SPDX-License-Identifier: MIT
 *
 * Which libc, loader and allocator a process uses, and two pieces of libc's code that we return
 * through: the target's text is never written, so what we need must already be there.
 */
#include <stdlib.h>
#include <string.h>

#include "inject/base/cleanup.h"
#include "inject/target/parts.h"

struct file_names {
	const char *soname;    /* the whole name */
	const char *versioned; /* the beginning of "libc-2.31.so", as glibc named files
				  before 2.34 */
};

static bool is_called(const struct module *module, const struct file_names *names)
{
	const char *base = path_base(module->path);
	size_t len = strlen(names->versioned);

	return !strcmp(base, names->soname) ||
	       (!strncmp(base, names->versioned, len) && base[len] >= '0' && base[len] <= '9');
}

static struct module *module_named(const struct target *target, const struct file_names *names)
{
	for (size_t i = 0; i < target->module_count; i++) {
		if (is_called(&target->modules[i], names))
			return &target->modules[i];
	}
	return NULL;
}

/* Of several libcs (dlmopen gives each namespace its own) the one that Python calls: a thread
 * that another one has made lacks what this one keeps for each thread. */
static struct module *libc_of_python(const struct target *target,
				     const struct file_names *names)
{
	static const char *const called[] = {"abort", "strlen", "memcpy", "getenv"};

	for (size_t i = 0; i < sizeof(called) / sizeof(*called); i++) {
		const struct module *module =
			module_bound_to(target, target->python.module, called[i]);

		if (module && is_called(module, names))
			return &target->modules[module - target->modules];
	}
	return module_named(target, names);
}

/* musl's loader and its libc are one file, known by either name. */
static struct module *musl_of(const struct target *target)
{
	for (size_t i = 0; i < target->module_count; i++) {
		const char *base = path_base(target->modules[i].path);

		if (!strncmp(base, "ld-musl-", 8) || !strncmp(base, "libc.musl-", 10) ||
		    !strcmp(base, "libc.so"))
			return &target->modules[i];
	}
	return NULL;
}

enum { GADGETS = 2, CHUNK = 128 << 10, OVERLAP = 16, NEAR = 1024 };

struct gadget {
	const uint8_t *bytes;
	size_t len;
	const char *near; /* a function whose own code, or its object file's, has it */
	remote_addr *found;
};

static bool found_all(const struct gadget *gadgets)
{
	return !addr_is_null(*gadgets[0].found) && !addr_is_null(*gadgets[1].found);
}

static void find_in(const struct gadget *gadgets, size_t count, const uint8_t *text, size_t len,
		    uint64_t at)
{
	for (size_t i = 0; i < count; i++) {
		const uint8_t *hit;

		if (!addr_is_null(*gadgets[i].found))
			continue;
		hit = memmem(text, len, gadgets[i].bytes, gadgets[i].len);
		if (hit)
			*gadgets[i].found = addr_of(at + (uint64_t)(hit - text));
	}
}

/* Where both are in glibc; to search the whole text takes a millisecond. */
static void find_near(const struct target *target, const struct gadget *gadget)
{
	struct elf_symbol symbol;
	uint8_t text[NEAR];
	struct hp_err ignored;

	if (!elf_image_find(&symbol, &target->libc.module->image, gadget->near) ||
	    symbol.value < NEAR / 4)
		return;
	uint64_t at = target->libc.module->bias + symbol.value - NEAR / 4;
	if (target_read(target, addr_of(at), text, NEAR, &ignored) == 0)
		find_in(gadget, 1, text, NEAR, at);
}

static int find_in_segment(const struct target *target, const struct gadget *gadgets,
			   const struct elf_segment *segment, uint8_t *text, struct hp_err *err)
{
	uint64_t start = target->libc.module->bias + segment->vaddr;

	for (uint64_t done = 0; done < segment->filesz && !found_all(gadgets);
	     done += CHUNK - OVERLAP) {
		size_t len = segment->filesz - done < CHUNK ? segment->filesz - done : CHUNK;

		if (target_read(target, addr_of(start + done), text, len, err) < 0)
			return -1;
		find_in(gadgets, GADGETS, text, len, start + done);
	}
	return 0;
}

/* Search libc's text as it is in memory. */
static int find_gadgets(struct target *target, struct hp_err *err)
{
	/* mov $__NR_rt_sigreturn,%rax; syscall: the exact bytes that unwinders know a signal
	 * frame by (glibc sysdeps/unix/sysv/linux/x86_64/libc_sigaction.c); the second any raw
	 * system call. */
	static const uint8_t restore_rt[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	static const uint8_t syscall_ret[] = {0x0f, 0x05, 0xc3};
	struct libc_info *libc = &target->libc;
	const struct gadget gadgets[GADGETS] = {
		{restore_rt, sizeof(restore_rt), "sigaction", &libc->restore_rt},
		{syscall_ret, sizeof(syscall_ret), "getpid", &libc->syscall_ret},
	};
	_cleanup_free_ uint8_t *text = malloc(CHUNK);

	if (!text)
		return hp_err_set(err, HP_SYSTEM, 0, "no memory for libc's code");
	for (size_t i = 0; i < GADGETS; i++)
		find_near(target, &gadgets[i]);
	for (size_t i = 0; i < libc->module->image.segment_count && !found_all(gadgets); i++) {
		const struct elf_segment *s = &libc->module->image.segments[i];

		if (s->exec && find_in_segment(target, gadgets, s, text, err) < 0)
			return -1;
	}
	if (found_all(gadgets))
		return 0;
	return hp_err_obstacle(
		err, OBSTACLE_LIBC_CODE, 0,
		"the libc of process %d (%s) lacks the code that signal handlers return through",
		target->pid, libc->module->path);
}

/* mov $nr,%eax */
static void encode_call(uint8_t out[5], uint32_t nr)
{
	out[0] = 0xb8;
	memcpy(out + 1, &nr, sizeof(nr));
}

void target_libc_calls(bool out[2], const struct target *target, const uint32_t nrs[2])
{
	uint8_t code[GADGETS][5];
	remote_addr found[GADGETS] = {{0}};
	struct gadget gadgets[GADGETS];
	_cleanup_free_ uint8_t *text = malloc(CHUNK);
	const struct elf_image *image = &target->libc.module->image;
	struct hp_err ignored;
	bool searched = text != NULL;

	for (size_t i = 0; i < GADGETS; i++) {
		encode_call(code[i], nrs[i]);
		gadgets[i] = (struct gadget){code[i], sizeof(code[i]), NULL, &found[i]};
	}
	for (size_t i = 0; searched && i < image->segment_count; i++)
		searched = !image->segments[i].exec ||
			   find_in_segment(target, gadgets, &image->segments[i], text,
					   &ignored) == 0;
	for (size_t i = 0; i < GADGETS; i++)
		out[i] = !searched || !addr_is_null(found[i]);
}

/* Whose malloc it is can be preloaded, or linked into the executable: what the slots are bound
 * to decides. Python's is asked first, since that is the one which is called. */
static int find_malloc(struct target *target, struct hp_err *err)
{
	const struct module *importers[] = {
		target->python.module,
		target->executable,
		target->libc.module,
	};
	const struct module *provider = NULL;

	for (size_t i = 0; i < sizeof(importers) / sizeof(*importers) && !provider; i++)
		provider = module_bound_to(target, importers[i], "malloc");
	if (!provider)
		provider = target->libc.module;
	target->libc.malloc_module = provider;
	return module_load(target, &target->modules[provider - target->modules], err);
}

static int find_glibc(struct target *target, struct module *libc, struct hp_err *err)
{
	static const struct file_names pthread_names = {"libpthread.so.0", "libpthread-"};
	static const struct file_names loader_names = {"ld-linux-x86-64.so.2", "ld-"};
	struct module *pthread = module_named(target, &pthread_names);
	struct module *loader = module_named(target, &loader_names);
	struct elf_symbol symbol;

	if (module_load(target, libc, err) < 0 ||
	    (pthread && module_load(target, pthread, err) < 0))
		return -1;
	target->libc.flavour = LIBC_GLIBC;
	target->libc.module = libc;
	target->libc.loader = loader;
	/* Since 2.34 libc holds it all, and libpthread.so.0 is an empty shell for old programs.
	 */
	target->libc.pthread =
		elf_image_find(&symbol, &libc->image, "pthread_create") || !pthread ? libc
										    : pthread;
	return 0;
}

/* The loader is no module of its own to keep away from: its functions are told by name. */
static int find_musl(struct target *target, struct module *libc, struct hp_err *err)
{
	if (module_load(target, libc, err) < 0)
		return -1;
	target->libc.flavour = LIBC_MUSL;
	target->libc.module = libc;
	target->libc.pthread = libc;
	return 0;
}

int libc_find(struct target *target, struct hp_err *err)
{
	static const struct file_names libc_names = {"libc.so.6", "libc-"};
	struct module *libc = libc_of_python(target, &libc_names);
	struct module *musl = libc ? NULL : musl_of(target);

	if (!libc && !musl)
		return hp_err_obstacle(err, OBSTACLE_STATIC_LIBC, 0,
				       "process %d has no shared libc (linked statically)",
				       target->pid);
	if ((libc ? find_glibc(target, libc, err) : find_musl(target, musl, err)) < 0)
		return -1;
	if (find_malloc(target, err) < 0)
		return -1;
	return find_gadgets(target, err);
}
