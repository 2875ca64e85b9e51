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

#include "inject/unwind/mapped_elf.h"
#include "inject/unwind/snapshot.h"

struct finder {
	const struct target *target;
	struct snapshot snapshot;
	remote_addr *out;
	size_t capacity, count;
};

/* What the slot holds, or 0 when that is not in libc. */
static uint64_t slot_value(struct finder *finder, uint64_t slot)
{
	const struct module *libc = finder->target->libc.module;
	uint64_t value;

	if (snapshot_read(&finder->snapshot, slot, &value, sizeof(value)) != 0 ||
	    !addr_in(addr_of(value), libc->start, libc->end))
		return 0;
	return value;
}

static void found_add(struct finder *finder, uint64_t value)
{
	if (value && finder->count < finder->capacity)
		finder->out[finder->count++] = addr_of(value);
}

/* Each relocation of libc's that asks a resolver. */
static void table_take(struct finder *finder, const struct mapped_elf *elf, uint64_t table,
		       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		Elf64_Rela rela;

		if (snapshot_read(&finder->snapshot, table + i * sizeof(rela), &rela,
				  sizeof(rela)) != 0)
			return;
		if (ELF64_R_TYPE(rela.r_info) == R_X86_64_IRELATIVE)
			found_add(finder, slot_value(finder, rela.r_offset + elf->bias));
	}
}

static void libc_take(struct finder *finder, const struct module *libc)
{
	struct mapped_relocations relocations;
	struct mapped_elf elf;

	if (!mapped_elf_read(&elf, libc->start.v, libc->end.v, snapshot_read,
			     &finder->snapshot) ||
	    !mapped_elf_relocations(&relocations, &elf, snapshot_read, &finder->snapshot))
		return;
	for (size_t i = 0; i < 2; i++)
		table_take(finder, &elf, relocations.rela[i], relocations.count[i]);
}

static void python_take(struct finder *finder, const struct module *python)
{
	const struct elf_image *libc = &finder->target->libc.module->image;

	for (size_t i = 0; i < python->image.import_count; i++) {
		const struct elf_import *import = &python->image.imports[i];
		const uint64_t value = slot_value(finder, import->slot + python->bias);
		struct elf_symbol symbol;

		/* Nearly all are the interpreter's own functions. */
		if (!value)
			continue;
		if (elf_image_find(&symbol, libc, import->name) && symbol.is_ifunc)
			found_add(finder, value);
	}
}

size_t ifuncs_find(remote_addr *out, size_t capacity, const struct target *target)
{
	struct finder finder = {.target = target, .out = out, .capacity = capacity};
	struct hp_err ignored;

	if (snapshot_init(&finder.snapshot, target, &ignored) < 0)
		return 0;
	libc_take(&finder, target->libc.module);
	if (target->python.module && target->python.module->loaded)
		python_take(&finder, target->python.module);
	snapshot_fini(&finder.snapshot);
	return finder.count;
}
