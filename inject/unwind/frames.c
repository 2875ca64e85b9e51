/* SPDX-License-Identifier: MIT
 *
 * See frames.h. libunwind's remote unwinder over snapshots, as perf does it with its dumps of
 * user stacks: find_proc_info says where the module's search table is, libunwind does the rest
 * through access_mem.
 *
 * The invariant: a walk that took a step which no unwind information described (libunwind
 * guesses by the frame pointer then) is not complete.
 */
#include "inject/unwind/frames.h"

#include <errno.h>
#include <stdlib.h>

#include "inject/base/cleanup.h"
#include "inject/unwind/epilogue.h"
#include "inject/unwind/mapped_elf.h"
#include "inject/unwind/snapshot.h"
#include "inject/unwind/unwind_library.h"

#define ELVES_MAX 64
#define STEPS_MAX 8192 /* some 15 ms: a thousand calls deep in CPython 3.7 */
#define TAIL      64   /* room kept in the list when only what tells is added */
/* A frame takes some hundred words; more than this is DWARF code that runs in circles. */
#define READS_MAX (1u << 18)

struct unwinder {
	const struct target *target; /* borrowed */
	struct snapshot snapshot;
	struct unwind_library library;
	unw_addr_space_t space;
	struct mapped_elf elves[ELVES_MAX];
	size_t elf_count;
	bool has_tables;
	/* of the walk under way */
	const struct frame_start *start;
	unsigned reads;
	bool lost; /* something on the way had no unwind information */
};

/* ---- which module, which table ---- */

static const struct mapped_elf *elf_at(struct unwinder *unwinder, uint64_t ip)
{
	const struct module *module;
	struct mapped_elf *elf;

	for (size_t i = 0; i < unwinder->elf_count; i++)
		if (ip >= unwinder->elves[i].start && ip < unwinder->elves[i].end)
			return &unwinder->elves[i];
	module = target_module_at(unwinder->target, addr_of(ip));
	if (!module || unwinder->elf_count == ELVES_MAX)
		return NULL;
	elf = &unwinder->elves[unwinder->elf_count];
	if (!mapped_elf_read(elf, module->start.v, module->end.v, snapshot_read,
			     &unwinder->snapshot))
		*elf = (struct mapped_elf){.start = module->start.v, .end = module->end.v};
	unwinder->elf_count++;
	return elf;
}

/* ---- libunwind's accessors ---- */

static int find_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t *out,
			  int need_unwind_info, void *arg)
{
	struct unwinder *unwinder = arg;
	const struct mapped_elf *elf = elf_at(unwinder, ip);
	unw_dyn_info_t info = {.format = UNW_INFO_FORMAT_REMOTE_TABLE};
	int r = -UNW_ENOINFO;

	if (elf && elf->table_hdr) {
		info.start_ip = elf->start;
		info.end_ip = elf->end;
		info.u.rti.segbase = elf->table_hdr;
		info.u.rti.table_data = elf->table;
		info.u.rti.table_len =
			elf->table_count * 2 * sizeof(uint32_t) / sizeof(unw_word_t);
		r = unwinder->library.dwarf_search_unwind_table(as, ip, &info, out,
								need_unwind_info, arg);
	}
	if (r < 0)
		unwinder->lost = true;
	return r;
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *info, void *arg)
{
	(void)as;
	(void)info;
	(void)arg;
}

static int get_dyn_info_list_addr(unw_addr_space_t as, unw_word_t *out, void *arg)
{
	(void)as;
	(void)out;
	(void)arg;
	return -UNW_ENOINFO;
}

static int access_mem(unw_addr_space_t as, unw_word_t addr, unw_word_t *value, int write,
		      void *arg)
{
	struct unwinder *unwinder = arg;

	(void)as;
	if (write || unwinder->reads++ >= READS_MAX ||
	    snapshot_read(&unwinder->snapshot, addr, value, sizeof(*value)) != 0) {
		unwinder->lost = true;
		return -UNW_EINVAL;
	}
	return 0;
}

static int access_reg(unw_addr_space_t as, unw_regnum_t reg, unw_word_t *value, int write,
		      void *arg)
{
	const struct unwinder *unwinder = arg;
	const struct frame_start *s = unwinder->start;
	const uint64_t regs[] = {
		[UNW_X86_64_RAX] = s->rax, [UNW_X86_64_RDX] = s->rdx, [UNW_X86_64_RCX] = s->rcx,
		[UNW_X86_64_RBX] = s->rbx, [UNW_X86_64_RSI] = s->rsi, [UNW_X86_64_RDI] = s->rdi,
		[UNW_X86_64_RBP] = s->rbp, [UNW_X86_64_RSP] = s->rsp, [UNW_X86_64_R8] = s->r8,
		[UNW_X86_64_R9] = s->r9,   [UNW_X86_64_R10] = s->r10, [UNW_X86_64_R11] = s->r11,
		[UNW_X86_64_R12] = s->r12, [UNW_X86_64_R13] = s->r13, [UNW_X86_64_R14] = s->r14,
		[UNW_X86_64_R15] = s->r15, [UNW_X86_64_RIP] = s->rip,
	};

	(void)as;
	if (write || reg < 0 || (size_t)reg >= sizeof(regs) / sizeof(regs[0]))
		return -UNW_EBADREG;
	*value = regs[reg];
	return 0;
}

static int access_fpreg(unw_addr_space_t as, unw_regnum_t reg, unw_fpreg_t *value, int write,
			void *arg)
{
	(void)as;
	(void)reg;
	(void)value;
	(void)write;
	(void)arg;
	return -UNW_EBADREG;
}

static int resume(unw_addr_space_t as, unw_cursor_t *cursor, void *arg)
{
	(void)as;
	(void)cursor;
	(void)arg;
	return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t as, unw_word_t ip, char *out, size_t len,
			 unw_word_t *offset_out, void *arg)
{
	(void)as;
	(void)ip;
	(void)out;
	(void)len;
	(void)offset_out;
	(void)arg;
	return -UNW_ENOINFO;
}

/* Not const: create_addr_space() takes it so, and copies it. */
static unw_accessors_t accessors = {
	.find_proc_info = find_proc_info,
	.put_unwind_info = put_unwind_info,
	.get_dyn_info_list_addr = get_dyn_info_list_addr,
	.access_mem = access_mem,
	.access_reg = access_reg,
	.access_fpreg = access_fpreg,
	.resume = resume,
	.get_proc_name = get_proc_name,
};

/* ---- the unwinder ---- */

static void tables_prepare(struct unwinder *unwinder, const struct module *module)
{
	const struct mapped_elf *elf = module ? elf_at(unwinder, module->start.v) : NULL;

	if (elf && elf->table_hdr)
		snapshot_prepare(&unwinder->snapshot, addr_of(elf->table_hdr),
				 addr_of(elf->table_segment_end));
}

int unwinder_new(struct unwinder **out, const struct target *target, struct hp_err *err)
{
	_cleanup_free_ struct unwinder *unwinder = calloc(1, sizeof(*unwinder));

	if (!unwinder)
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "prepare to walk stacks");
	unwinder->target = target;
	if (unwind_library_load(&unwinder->library, err) < 0 ||
	    snapshot_init(&unwinder->snapshot, target, err) < 0)
		return -1;
	unwinder->space = unwinder->library.create_addr_space(&accessors, 0);
	if (!unwinder->space) {
		snapshot_fini(&unwinder->snapshot);
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "prepare to walk stacks");
	}
	/* What libunwind caches is what it computed from read-only tables. */
	unwinder->library.set_caching_policy(unwinder->space, UNW_CACHE_PER_THREAD);
	*out = take_ptr(&unwinder);
	return 0;
}

void unwinder_read_tables(struct unwinder *unwinder)
{
	if (unwinder->has_tables)
		return;
	tables_prepare(unwinder, unwinder->target->libc.module);
	tables_prepare(unwinder, unwinder->target->python.module);
	unwinder->has_tables = true;
}

void unwinder_free(struct unwinder *unwinder)
{
	if (!unwinder)
		return;
	unwinder->library.destroy_addr_space(unwinder->space);
	snapshot_fini(&unwinder->snapshot);
	free(unwinder);
}

/* ---- the walk ---- */

/* Of the function that a frame stands in. */
static void extent_add(struct frame *frame, struct unwinder *unwinder)
{
	const uint64_t pc = frame->pc.v;
	unw_proc_info_t info;

	if (find_proc_info(unwinder->space, pc, &info, 0, unwinder) < 0 || pc < info.start_ip ||
	    pc >= info.end_ip)
		return;
	frame->start = addr_of(info.start_ip);
	frame->end = addr_of(info.end_ip);
}

static bool is_plain(const struct frame *frame, const struct libc_info *libc)
{
	const struct module *module = frame->module;

	return module && !frame->exact && module != libc->module && module != libc->pthread &&
	       module != libc->loader && module != libc->malloc_module;
}

/* False when the list is full. A long list goes on without the program's own frames in the
 * middle of others: nothing is judged by them. */
static bool frame_add(struct frame_list *list, const struct target *target, uint64_t pc,
		      bool exact)
{
	const uint64_t place = exact ? pc : pc - 1;
	const struct module *module = target_module_at(target, addr_of(place));
	struct frame frame = {.pc = addr_of(pc), .module = module, .exact = exact};

	if (list->count >= FRAMES_MAX - TAIL && is_plain(&frame, &target->libc) &&
	    is_plain(&list->items[list->count - 1], &target->libc))
		list->count--;
	if (list->count == FRAMES_MAX)
		return false;
	list->items[list->count++] = frame;
	return true;
}

/* The last frame, and thereby all that a judgement may still ask for, lies outside of libc. */
static bool frame_leaves_libc(const struct frame_list *list, const struct libc_info *libc)
{
	const struct module *module = list->items[list->count - 1].module;

	return module && module != libc->module && module != libc->pthread;
}

/* Out of musl's functions, which have no unwind tables, from `at` on: they are listed,
 * and the walk begins with who called them. */
static void leave_libc(struct frame_list *out, struct unwinder *unwinder,
		       struct frame_start *at)
{
	const struct libc_info *libc = &unwinder->target->libc;
	struct epilogue e = {at->rip,
			     {at->rax, at->rcx, at->rdx, at->rbx, at->rsp, at->rbp, at->rsi,
			      at->rdi, at->r8, at->r9, at->r10, at->r11, at->r12, at->r13,
			      at->r14, at->r15}};

	while (libc->flavour == LIBC_MUSL &&
	       addr_in(addr_of(e.pc), libc->module->start, libc->module->end)) {
		const uint64_t pc = e.pc;

		if (!epilogue_follow(&e, snapshot_read, &unwinder->snapshot) ||
		    !frame_add(out, unwinder->target, pc, out->count == 0))
			break;
	}
	at->rip = e.pc;
	at->rsp = e.regs[EPILOGUE_RSP];
	at->rbx = e.regs[3];
	at->rbp = e.regs[5];
	at->r12 = e.regs[12];
	at->r13 = e.regs[13];
	at->r14 = e.regs[14];
	at->r15 = e.regs[15];
}

static void walk(struct frame_list *out, struct unwinder *unwinder, unw_cursor_t *cursor)
{
	const struct unwind_library *library = &unwinder->library;
	const struct frame_start *start = unwinder->start;
	uint64_t sp_before = 0;
	bool exact = out->count == 0;

	for (unsigned steps = 0; steps < STEPS_MAX; steps++) {
		unw_word_t ip, sp;
		bool is_signal;
		int r;

		if (library->get_reg(cursor, UNW_REG_IP, &ip) < 0 ||
		    library->get_reg(cursor, UNW_REG_SP, &sp) < 0)
			return;
		if (!frame_add(out, unwinder->target, ip, exact))
			return;
		if (exact)
			extent_add(&out->items[out->count - 1], unwinder);
		if (start->until && sp > start->until &&
		    frame_leaves_libc(out, &unwinder->target->libc)) {
			out->complete = true;
			return;
		}
		is_signal = library->is_signal_frame(cursor) > 0;
		/* Frames lie one above the other; only a signal may change the stack. */
		if (sp < sp_before && !exact)
			return;
		sp_before = sp;
		unwinder->lost = false;
		r = library->step(cursor);
		if (r < 0 || unwinder->lost)
			return;
		if (r == 0) {
			out->complete = out->at_bottom = true;
			return;
		}
		exact = is_signal;
	}
}

int unwinder_collect(struct frame_list *out, struct unwinder *unwinder,
		     const struct frame_start *start, struct hp_err *err)
{
	struct frame_start outside = *start;
	unw_cursor_t cursor;

	out->count = 0;
	out->complete = out->at_bottom = false;
	snapshot_renew(&unwinder->snapshot, start->rsp, start->stack);
	leave_libc(out, unwinder, &outside);
	unwinder->start = &outside;
	unwinder->reads = 0;
	if (unwinder->library.init_remote(&cursor, unwinder->space, unwinder) < 0)
		return hp_err_set(err, HP_INTERNAL, 0, "begin to walk the stack");
	walk(out, unwinder, &cursor);
	unwinder->start = NULL;
	out->strayed = unwinder->snapshot.strayed;
	return 0;
}

int frames_collect(struct frame_list *out, const struct target *target,
		   const struct frame_start *start, struct hp_err *err)
{
	struct unwinder *unwinder;
	int r;

	if (unwinder_new(&unwinder, target, err) < 0)
		return -1;
	r = unwinder_collect(out, unwinder, start, err);
	unwinder_free(unwinder);
	return r;
}
