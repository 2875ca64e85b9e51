/* SPDX-License-Identifier: MIT
 *
 * See mapped_elf.h. The invariant: no address that leaves this file lies outside of
 * [start, end) of its module, and no count is larger than the module could hold.
 */
#include "inject/unwind/mapped_elf.h"

#include <elf.h>
#include <string.h>

#define SEGMENTS_MAX 64
#define DYNAMIC_MAX  512

/* LSB 5.0 core, 10.6.2: the encodings that every linker for this machine writes. */
#define EH_HDR_VERSION    1
#define EH_ENC_UDATA4     0x03
#define EH_ENC_PCREL4     0x1b
#define EH_ENC_DATAREL4   0x3b
#define EH_HDR_TABLE_AT   12
#define EH_HDR_TABLE_PAIR 8

static bool range_in(const struct mapped_elf *elf, uint64_t addr, uint64_t len)
{
	return addr >= elf->start && addr < elf->end && len <= elf->end - addr;
}

static void unwind_table_read(struct mapped_elf *elf, uint64_t hdr, elf_memory_read read,
			      void *context)
{
	struct {
		uint8_t version, frame_enc, count_enc, table_enc;
		int32_t frame;
		uint32_t count;
	} head;

	_Static_assert(sizeof(head) == EH_HDR_TABLE_AT, "layout of .eh_frame_hdr");
	if (!range_in(elf, hdr, sizeof(head)) || read(context, hdr, &head, sizeof(head)) != 0)
		return;
	if (head.version != EH_HDR_VERSION || head.frame_enc != EH_ENC_PCREL4 ||
	    head.count_enc != EH_ENC_UDATA4 || head.table_enc != EH_ENC_DATAREL4)
		return;
	if (!range_in(elf, hdr + EH_HDR_TABLE_AT, (uint64_t)head.count * EH_HDR_TABLE_PAIR))
		return;
	elf->table_hdr = hdr;
	elf->table = hdr + EH_HDR_TABLE_AT;
	elf->table_count = head.count;
}

static const Elf64_Phdr *segment_of(const Elf64_Phdr *items, size_t count, uint64_t vaddr)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].p_type == PT_LOAD && vaddr >= items[i].p_vaddr &&
		    vaddr - items[i].p_vaddr < items[i].p_memsz)
			return &items[i];
	return NULL;
}

static void segments_take(struct mapped_elf *elf, const Elf64_Phdr *items, size_t count,
			  elf_memory_read read, void *context)
{
	for (size_t i = 0; i < count; i++) {
		const uint64_t addr = items[i].p_vaddr + elf->bias;

		if (items[i].p_type == PT_GNU_EH_FRAME) {
			const Elf64_Phdr *load = segment_of(items, count, items[i].p_vaddr);

			unwind_table_read(elf, addr, read, context);
			if (load && range_in(elf, load->p_vaddr + elf->bias, load->p_memsz))
				elf->table_segment_end =
					load->p_vaddr + elf->bias + load->p_memsz;
		}
		if (items[i].p_type == PT_DYNAMIC && range_in(elf, addr, items[i].p_memsz)) {
			elf->dynamic = addr;
			elf->dynamic_count = items[i].p_memsz / sizeof(Elf64_Dyn);
		}
	}
}

bool mapped_elf_read(struct mapped_elf *out, uint64_t start, uint64_t end, elf_memory_read read,
		     void *context)
{
	struct mapped_elf elf = {.start = start, .end = end};
	Elf64_Phdr items[SEGMENTS_MAX];
	Elf64_Ehdr head;

	if (!range_in(&elf, start, sizeof(head)) ||
	    read(context, start, &head, sizeof(head)) != 0)
		return false;
	if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
	    head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_machine != EM_X86_64 ||
	    head.e_phentsize != sizeof(Elf64_Phdr) || head.e_phnum == 0 ||
	    head.e_phnum > SEGMENTS_MAX)
		return false;
	if (!range_in(&elf, start + head.e_phoff, head.e_phnum * sizeof(items[0])) ||
	    read(context, start + head.e_phoff, items, head.e_phnum * sizeof(items[0])) != 0)
		return false;
	for (size_t i = 0; i < head.e_phnum; i++) {
		if (items[i].p_type != PT_LOAD)
			continue;
		/* The first one maps the ELF header: it is what start belongs to. */
		elf.bias = start - (items[i].p_vaddr - items[i].p_offset);
		break;
	}
	segments_take(&elf, items, head.e_phnum, read, context);
	*out = elf;
	return true;
}

/* glibc relocates these addresses in place, elf/get-dynamic-info.h; the vDSO's, and those of a
 * read-only dynamic section, stay as linked. */
static uint64_t dynamic_addr(const struct mapped_elf *elf, uint64_t value)
{
	uint64_t addr = value < elf->start ? value + elf->bias : value;

	return range_in(elf, addr, 1) ? addr : 0;
}

static void dynamic_take(struct mapped_relocations *out, const struct mapped_elf *elf,
			 const Elf64_Dyn *entry)
{
	const uint64_t addr = dynamic_addr(elf, entry->d_un.d_ptr);

	switch (entry->d_tag) {
	case DT_RELA:
		out->rela[0] = addr;
		break;
	case DT_RELASZ:
		out->count[0] = entry->d_un.d_val / sizeof(Elf64_Rela);
		break;
	case DT_JMPREL:
		out->rela[1] = addr;
		break;
	case DT_PLTRELSZ:
		out->count[1] = entry->d_un.d_val / sizeof(Elf64_Rela);
		break;
	default:
		break;
	}
}

bool mapped_elf_relocations(struct mapped_relocations *out, const struct mapped_elf *elf,
			    elf_memory_read read, void *context)
{
	struct mapped_relocations found = {0};

	for (size_t i = 0; i < elf->dynamic_count && i < DYNAMIC_MAX; i++) {
		Elf64_Dyn entry;

		if (read(context, elf->dynamic + i * sizeof(entry), &entry, sizeof(entry)) != 0)
			return false;
		if (entry.d_tag == DT_NULL)
			break;
		dynamic_take(&found, elf, &entry);
	}
	for (size_t i = 0; i < 2; i++) {
		if (found.rela[i] == 0)
			found.count[i] = 0;
		/* A count that the module cannot hold is a lie; so is the table then. */
		if (found.count[i] > (elf->end - elf->start) / sizeof(Elf64_Rela) ||
		    !range_in(elf, found.rela[i] ? found.rela[i] : elf->start,
			      found.count[i] * sizeof(Elf64_Rela)))
			return false;
	}
	*out = found;
	return found.count[0] || found.count[1];
}
