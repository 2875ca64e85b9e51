/* SPDX-License-Identifier: MIT
 *
 * The address ranges that a safe-point judgement goes by, from the symbols of libc and from
 * what is mapped. See safepoint.h.
 *
 * The invariant: ranges come from a symbol's address and size. The only space without a name
 * that counts as forbidden lies next to an exported function of malloc.o or pthread_create.o:
 * the linker keeps an object file together, so that the static functions of those two
 * (_int_malloc, arena_get2, create_thread) are in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inject/base/cleanup.h"
#include "inject/unwind/functions.h"
#include "inject/unwind/ifuncs.h"
#include "inject/unwind/safepoint.h"
#include "inject/unwind/safepoint_names.h"

#define IFUNCS_MAX 512

/* ---- lists of ranges ---- */

struct ranges {
	struct safepoint_range *items; /* owned */
	size_t count, capacity;
};

static int ranges_add(struct ranges *ranges, struct safepoint_range range, struct hp_err *err)
{
	if (range.start.v >= range.end.v)
		return 0;
	if (ranges->count == ranges->capacity) {
		const size_t capacity = ranges->capacity ? 2 * ranges->capacity : 512;
		void *items = realloc(ranges->items, capacity * sizeof(ranges->items[0]));

		if (!items)
			return hp_err_set(err, HP_SYSTEM, ENOMEM, "list libc's functions");
		ranges->items = items;
		ranges->capacity = capacity;
	}
	ranges->items[ranges->count++] = range;
	return 0;
}

static int compare_start(const void *a, const void *b)
{
	const struct safepoint_range *x = a, *y = b;

	if (x->start.v != y->start.v)
		return x->start.v < y->start.v ? -1 : 1;
	return x->end.v < y->end.v ? 1 : x->end.v > y->end.v ? -1 : 0;
}

static bool are_sorted(const struct ranges *ranges)
{
	for (size_t i = 1; i < ranges->count; i++)
		if (compare_start(&ranges->items[i - 1], &ranges->items[i]) > 0)
			return false;
	return true;
}

/* Sort, which they are already when all come from one file; what overlaps the range before it
 * (aliases mostly) loses the common part. */
static void ranges_settle(struct ranges *ranges)
{
	size_t kept = 0;

	if (!are_sorted(ranges))
		qsort(ranges->items, ranges->count, sizeof(ranges->items[0]), compare_start);
	for (size_t i = 0; i < ranges->count; i++) {
		struct safepoint_range range = ranges->items[i];

		if (kept && range.start.v < ranges->items[kept - 1].end.v)
			range.start = ranges->items[kept - 1].end;
		if (range.start.v < range.end.v)
			ranges->items[kept++] = range;
	}
	ranges->count = kept;
}

/* ---- by name ---- */

struct maker {
	const struct target *target;
	const struct safepoint_names *names;
	struct ranges forbidden;
	bool has_malloc, has_threads;
	bool has_hooks; /* through which the allocator calls the program, before glibc 2.34 */
	/* the space around pthread_create, where start_thread is */
	uint64_t threads_gap[4][2];
	size_t threads_gap_count;
};

static void maker_fini(struct maker *maker)
{
	free(maker->forbidden.items);
}

/* All functions at one address are one function; the gravest of its names counts. */
struct place {
	uint64_t start, end;
	enum name_class class;
	const char *name;
};

/* The place that begins with that function; returns how many share it. */
static size_t place_take(struct place *out, const struct functions *functions, size_t first)
{
	const struct elf_symbols *symbols = &functions->module->image.symbols;
	const uint32_t *numbers = functions->numbers;
	const uint64_t value = symbols->items[numbers[first]].st_value;
	size_t i = first;

	*out = (struct place){.start = value + functions->module->bias};
	for (; i < functions->count; i++) {
		const Elf64_Sym *sym = &symbols->items[numbers[i]];
		const enum name_class class = functions->classes[numbers[i]];

		if (sym->st_value != value)
			break;
		if (!out->name || class > out->class) {
			out->class = class;
			out->name = symbols->strings + sym->st_name;
		}
		if (out->start + sym->st_size > out->end)
			out->end = out->start + sym->st_size;
	}
	return i - first;
}

static int place_add(struct maker *maker, const struct place *place, struct hp_err *err)
{
	struct safepoint_range range = {addr_of(place->start), addr_of(place->end), place->name,
					false};

	switch (place->class) {
	case NAME_OTHER:
		return 0;
	case NAME_ALLOCATOR:
		range.never_waits = !maker->has_hooks;
		maker->has_malloc = true;
		break;
	case NAME_THREADS:
		maker->has_threads = true;
		break;
	case NAME_FORBIDDEN:
	case NAME_ALLOCATOR_TELLS:
		break;
	}
	return ranges_add(&maker->forbidden, range, err);
}

static int gap_add(struct maker *maker, const struct place *before, const struct place *after,
		   struct hp_err *err)
{
	const bool malloc_o = name_class_is_of_malloc_o(before->class) ||
			      name_class_is_of_malloc_o(after->class);
	const bool threads_o = before->class == NAME_THREADS || after->class == NAME_THREADS;
	const struct safepoint_range gap = {addr_of(before->end), addr_of(after->start),
					    malloc_o ? "the allocator" : "thread creation",
					    !threads_o && !maker->has_hooks};

	if ((!malloc_o && !threads_o) || after->start <= before->end ||
	    after->start - before->end > FUNCTIONS_GAP_MAX)
		return 0;
	if (threads_o && maker->threads_gap_count < 4) {
		maker->threads_gap[maker->threads_gap_count][0] = before->end;
		maker->threads_gap[maker->threads_gap_count][1] = after->start;
		maker->threads_gap_count++;
	}
	return ranges_add(&maker->forbidden, gap, err);
}

static int names_add(struct maker *maker, const struct module *module, struct hp_err *err)
{
	_cleanup_(functions_fini) struct functions functions = {0};
	struct place before = {0}, place;

	if (functions_find(&functions, maker->names, module, err) < 0)
		return -1;
	for (size_t i = 0; i < functions.count;) {
		i += place_take(&place, &functions, i);
		if ((before.name && gap_add(maker, &before, &place, err) < 0) ||
		    place_add(maker, &place, err) < 0)
			return -1;
		if (place.end > before.end)
			before = place;
	}
	return 0;
}

/* ---- by file ---- */

static int text_add(struct maker *maker, const struct module *module, struct hp_err *err)
{
	const struct maps *maps = &maker->target->maps;
	const char *slash = strrchr(module->path, '/');

	for (size_t i = 0; i < maps->count; i++) {
		const struct map *map = &maps->items[i];
		const struct safepoint_range range = {map->start, map->end,
						      slash ? slash + 1 : module->path, false};

		if ((map->prot & MAP_EXEC) && addr_in(map->start, module->start, module->end) &&
		    ranges_add(&maker->forbidden, range, err) < 0)
			return -1;
	}
	return 0;
}

static int files_add(struct maker *maker, struct hp_err *err)
{
	const struct libc_info *libc = &maker->target->libc;
	const struct module *allocator = libc->malloc_module;

	if (libc->loader && text_add(maker, libc->loader, err) < 0)
		return -1;
	if (!allocator || allocator == libc->module || allocator == libc->loader)
		return 0;
	if (allocator == maker->target->python.module)
		return hp_err_set(err, HP_UNSUPPORTED, 0,
				  "its memory allocator is linked into the interpreter (%s)",
				  allocator->path);
	return text_add(maker, allocator, err);
}

/* ---- the bottom of a thread's stack ---- */

static void bottom_add(struct safepoint_map *map, uint64_t addr)
{
	if (map->bottom_count < SAFEPOINT_BOTTOMS_MAX)
		map->bottoms[map->bottom_count++] = addr_of(addr);
}

struct code {
	const uint8_t *bytes;
	size_t len;
	uint64_t base, thread_exit; /* addresses; of pthread_exit() */
};

/* start_thread() calls the thread's function by its pointer in struct pthread, whose offset
 * there is in the thousands: call *disp32(reg), or call *%fs:disp32 before glibc 2.34. Nothing
 * else in pthread_create.o does. When it is not found every thread's stack alarms, and the
 * frames, which know the bottom by its shape, decide. */
static void start_thread_scan(struct safepoint_map *map, const struct code *code)
{
	const uint8_t *b = code->bytes;

	for (size_t i = 0; i + 8 <= code->len; i++) {
		size_t at; /* of the displacement */
		uint32_t displacement;

		if (b[i] == 0xff && b[i + 1] >= 0x90 && b[i + 1] <= 0x97 && b[i + 1] != 0x94)
			at = i + 2;
		else if (b[i] == 0x64 && b[i + 1] == 0xff && b[i + 2] == 0x14 &&
			 b[i + 3] == 0x25)
			at = i + 4;
		else
			continue;
		memcpy(&displacement, b + at, sizeof(displacement));
		if (displacement >= 0x400 && displacement < 0x1000)
			bottom_add(map, code->base + at + sizeof(displacement));
	}
}

/* musl's start() gives pthread_exit() what the thread's own function returned: mov %rax,%rdi;
 * call (src/thread/pthread_create.c). */
static void start_scan(struct safepoint_map *map, const struct code *code)
{
	static const uint8_t pattern[] = {0x48, 0x89, 0xc7, 0xe8};

	for (size_t i = 0; i + 8 <= code->len; i++) {
		int32_t displacement;

		if (memcmp(code->bytes + i, pattern, sizeof(pattern)) != 0)
			continue;
		memcpy(&displacement, code->bytes + i + sizeof(pattern), sizeof(displacement));
		if (code->base + i + 8 + (uint64_t)(int64_t)displacement == code->thread_exit)
			bottom_add(map, code->base + i);
	}
}

/* clone() calls its fn by call *%rax; sysdeps/unix/sysv/linux/x86_64/clone.S. */
static void clone_scan(struct safepoint_map *map, const struct code *code)
{
	for (size_t i = 0; i + 2 <= code->len; i++)
		if (code->bytes[i] == 0xff && code->bytes[i + 1] == 0xd0)
			bottom_add(map, code->base + i + 2);
}

typedef void (*code_scan)(struct safepoint_map *, const struct code *);

static void code_scan_target(struct safepoint_map *map, const struct target *target,
			     code_scan scan, uint64_t start, uint64_t end)
{
	const struct module *libc = target->libc.module;
	struct elf_symbol thread_exit;
	struct code code = {.len = (size_t)(end - start), .base = start};
	_cleanup_free_ uint8_t *bytes = NULL;
	struct hp_err ignored;

	if (code.len > FUNCTIONS_GAP_MAX)
		return;
	code.bytes = bytes = malloc(code.len);
	if (elf_image_find(&thread_exit, &libc->image, "pthread_exit"))
		code.thread_exit = thread_exit.value + libc->bias;
	if (bytes && target_read(target, addr_of(start), bytes, code.len, &ignored) == 0)
		scan(map, &code);
}

static void bottoms_find(struct safepoint_map *map, const struct maker *maker)
{
	const struct libc_info *libc = &maker->target->libc;
	const struct module *module = libc->module;
	struct elf_symbol symbol;

	for (size_t i = 0; i < maker->threads_gap_count; i++)
		code_scan_target(map, maker->target,
				 libc->flavour == LIBC_MUSL ? start_scan : start_thread_scan,
				 maker->threads_gap[i][0], maker->threads_gap[i][1]);
	if (libc->flavour != LIBC_MUSL && elf_image_find(&symbol, &module->image, "clone"))
		code_scan_target(map, maker->target, clone_scan, symbol.value + module->bias,
				 symbol.value + module->bias + symbol.size);
}

/* ---- the map ---- */

/* From 2.34 on they are symbols of an old version that nothing looks at. */
static bool has_malloc_hooks(const struct module *libc)
{
	struct elf_symbol hook;

	return elf_image_find(&hook, &libc->image, "__malloc_hook") && !hook.is_hidden;
}

static int maker_run(struct maker *maker, struct hp_err *err)
{
	const struct libc_info *libc = &maker->target->libc;

	if (!libc->module || !libc->module->loaded)
		return hp_err_set(err, HP_UNSUPPORTED, 0, "its libc was not found");
	maker->has_hooks = has_malloc_hooks(libc->module);
	if (names_add(maker, libc->module, err) < 0)
		return -1;
	if (libc->pthread && libc->pthread != libc->module && libc->pthread->loaded &&
	    names_add(maker, libc->pthread, err) < 0)
		return -1;
	if (!maker->has_malloc || !maker->has_threads)
		return hp_err_set(err, HP_UNSUPPORTED, 0,
				  "its libc (%s) names neither malloc nor pthread_create",
				  libc->module->path);
	return files_add(maker, err);
}

static void map_take(struct safepoint_map *out, struct maker *maker)
{
	const struct libc_info *libc = &maker->target->libc;

	ranges_settle(&maker->forbidden);
	*out = (struct safepoint_map){
		.forbidden = take_ptr(&maker->forbidden.items),
		.forbidden_count = maker->forbidden.count,
		.libc = libc->module,
		.pthread = libc->pthread != libc->module ? libc->pthread : NULL,
		.restore_rt = libc->restore_rt,
	};
	bottoms_find(out, maker);
}

int safepoint_map_init(struct safepoint_map *out, const struct target *target,
		       struct hp_err *err)
{
	struct safepoint_names names;
	_cleanup_(maker_fini) struct maker maker = {.target = target, .names = &names};

	safepoint_names_init(&names);
	if (maker_run(&maker, err) < 0)
		return -1;
	map_take(out, &maker);
	return 0;
}

int safepoint_map_learn_ifuncs(struct safepoint_map *map, const struct target *target,
			       struct hp_err *err)
{
	if (map->ifuncs)
		return 0;
	map->ifuncs = calloc(IFUNCS_MAX, sizeof(*map->ifuncs));
	if (!map->ifuncs)
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "list libc's functions");
	map->ifunc_count = ifuncs_find(map->ifuncs, IFUNCS_MAX, target);
	return 0;
}

void safepoint_map_fini(struct safepoint_map *map)
{
	free(map->forbidden);
	free(map->ifuncs);
	*map = (struct safepoint_map){0};
}
