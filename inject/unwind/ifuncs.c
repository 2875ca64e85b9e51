/* SPDX-License-Identifier: MIT
 *
 * See ifuncs.h. Two sources: libc's own IRELATIVE relocations (its calls of memcpy go through
 * them; in libc all are string, memory and time functions), and the slots of the Python module
 * that are bound to a symbol which libc defines as an IFUNC.
 *
 * The invariant: an address is only reported when it lies in libc's text; a slot that is not
 * yet bound points into its own module, one to a function of the vDSO out of libc.
 */
#include "inject/unwind/ifuncs.h"

#include <elf.h>
#include <string.h>

#include "inject/unwind/mapped_elf.h"
#include "inject/unwind/snapshot.h"

#define CHUNK        256
#define NAME_MAX_LEN 32 /* __strncasecmp_l_nonascii is not exported */

struct finder {
	const struct target *target;
	struct snapshot snapshot;
	struct mapped_elf elf;
	struct mapped_relocations relocations;
	remote_addr *out;
	size_t capacity, count;
};

static void slot_take(struct finder *finder, uint64_t slot)
{
	const struct module *libc = finder->target->libc.module;
	uint64_t value;

	if (finder->count == finder->capacity ||
	    snapshot_read(&finder->snapshot, slot, &value, sizeof(value)) != 0)
		return;
	if (addr_in(addr_of(value), libc->start, libc->end))
		finder->out[finder->count++] = addr_of(value);
}

/* Whether symbol number index of the module is an IFUNC of libc. */
static bool names_ifunc(struct finder *finder, uint64_t index)
{
	const struct mapped_relocations *r = &finder->relocations;
	const struct elf_symbol *symbol;
	char name[NAME_MAX_LEN];
	Elf64_Sym found;

	if (index > (finder->elf.end - finder->elf.start) / sizeof(found) ||
	    snapshot_read(&finder->snapshot, r->symbols + index * sizeof(found), &found,
			  sizeof(found)) != 0 ||
	    found.st_shndx != SHN_UNDEF ||
	    snapshot_read(&finder->snapshot, r->strings + found.st_name, name, sizeof(name)) !=
		    0 ||
	    !memchr(name, 0, sizeof(name)))
		return false;
	symbol = elf_image_find(&finder->target->libc.module->image, name);
	return symbol && symbol->is_ifunc;
}

static void relocation_take(struct finder *finder, const Elf64_Rela *rela, bool in_libc)
{
	const uint64_t slot = rela->r_offset + finder->elf.bias;
	const uint32_t type = ELF64_R_TYPE(rela->r_info);

	if (slot < finder->elf.start || slot >= finder->elf.end)
		return;
	if (in_libc && type == R_X86_64_IRELATIVE)
		slot_take(finder, slot);
	if (!in_libc && (type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT) &&
	    names_ifunc(finder, ELF64_R_SYM(rela->r_info)))
		slot_take(finder, slot);
}

static void table_take(struct finder *finder, uint64_t table, size_t count, bool in_libc)
{
	Elf64_Rela items[CHUNK];

	for (size_t done = 0; done < count;) {
		const size_t n = count - done < CHUNK ? count - done : CHUNK;

		if (snapshot_read(&finder->snapshot, table + done * sizeof(items[0]), items,
				  n * sizeof(items[0])) != 0)
			return;
		for (size_t i = 0; i < n; i++)
			relocation_take(finder, &items[i], in_libc);
		done += n;
	}
}

static void module_take(struct finder *finder, const struct module *module, bool in_libc)
{
	const struct mapped_relocations *r = &finder->relocations;

	if (!mapped_elf_read(&finder->elf, module->start.v, module->end.v, snapshot_read,
			     &finder->snapshot) ||
	    !mapped_elf_relocations(&finder->relocations, &finder->elf, snapshot_read,
				    &finder->snapshot))
		return;
	for (size_t i = 0; i < 2; i++)
		table_take(finder, r->rela[i], r->count[i], in_libc);
}

size_t ifuncs_find(remote_addr *out, size_t capacity, const struct target *target)
{
	struct finder finder = {.target = target, .out = out, .capacity = capacity};
	struct hp_err ignored;

	if (snapshot_init(&finder.snapshot, target, &ignored) < 0)
		return 0;
	module_take(&finder, target->libc.module, true);
	if (target->python.module)
		module_take(&finder, target->python.module, false);
	snapshot_fini(&finder.snapshot);
	return finder.count;
}
