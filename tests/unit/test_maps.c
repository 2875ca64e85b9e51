/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/proc/maps.h"
#include "inject/proc/procfs.h"

static const char sample[] =
	"00400000-00420000 r--p 00000000 fe:01 123                        /usr/bin/python3.11\n"
	"00420000-00500000 r-xp 00020000 fe:01 123                        /usr/bin/python3.11\n"
	"01000000-01021000 rw-p 00000000 00:00 0                          [heap]\n"
	"7f0000000000-7f0000001000 rw-s 00001000 00:2a 18446744073709551615 /tmp/with blank\\012x (deleted)\n"
	"7f0000001000-7f0000002000 ---p 00000000 00:00 0 \n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0          [vsyscall]\n";

static int parse(struct maps *out, const char *text)
{
	struct hp_err err;

	return maps_parse(out, text, strlen(text), &err);
}

Test(maps, every_column_is_read)
{
	struct maps maps;

	cr_assert(eq(int, parse(&maps, sample), 0));
	cr_assert(eq(sz, maps.count, 6));
	cr_assert(eq(u64, maps.items[1].start.v, 0x420000));
	cr_assert(eq(u64, maps.items[1].end.v, 0x500000));
	cr_assert(eq(u64, maps.items[1].file_offset, 0x20000));
	cr_assert(eq(u32, maps.items[1].prot, MAP_READ | MAP_EXEC));
	cr_assert(eq(u32, maps.items[1].dev_major, 0xfe));
	cr_assert(eq(u32, maps.items[1].dev_minor, 1));
	cr_assert(eq(u64, maps.items[1].inode, 123));
	cr_assert(eq(str, maps.items[1].path, "/usr/bin/python3.11"));
	cr_assert(eq(str, maps.items[2].path, "[heap]"));
	cr_assert(eq(u32, maps.items[3].prot, MAP_READ | MAP_WRITE | MAP_IS_SHARED));
	cr_assert(eq(u64, maps.items[3].inode, UINT64_MAX));
	cr_assert(eq(u32, maps.items[4].prot, 0));
	cr_assert(eq(str, maps.items[4].path, ""));
	cr_assert(eq(u64, maps.items[5].end.v, 0xffffffffff601000));
	maps_fini(&maps);
}

Test(maps, deleted_is_cut_from_the_path)
{
	struct maps maps;

	cr_assert(eq(int, parse(&maps, sample), 0));
	cr_assert(maps.items[3].deleted);
	cr_assert(eq(str, maps.items[3].path, "/tmp/with blank\\012x"));
	cr_assert(not(maps.items[0].deleted));
	maps_fini(&maps);
}

Test(maps, the_text_need_not_end_in_a_newline_or_nul)
{
	char *text = strdup("1000-2000 r--p 00000000 00:00 0 /a");
	struct maps maps;
	struct hp_err err;

	/* The last byte is cut off: what follows len is not looked at. */
	cr_assert(eq(int, maps_parse(&maps, text, strlen(text) - 1, &err), 0));
	free(text);
	cr_assert(eq(sz, maps.count, 1));
	cr_assert(eq(str, maps.items[0].path, "/"));
	maps_fini(&maps);
}

Test(maps, an_empty_text_is_no_mapping)
{
	struct maps maps;

	cr_assert(eq(int, parse(&maps, ""), 0));
	cr_assert(eq(sz, maps.count, 0));
	cr_assert(zero(ptr, maps_find(&maps, addr_of(0))));
	maps_fini(&maps);
}

Test(maps, nonsense_is_refused)
{
	static const char *const wrong[] = {
		"\n",
		"garbage\n",
		"1000-2000\n",
		"2000-1000 r--p 00000000 00:00 0\n",
		"1000-1000 r--p 00000000 00:00 0\n",
		"1000-2000 r--q 00000000 00:00 0\n",
		"1000-2000 -r-p 00000000 00:00 0\n",
		"1000-2000 r--p 00000000 00-00 0\n",
		"1000-2000 r--p 00000000 00:00 \n",
		"1000-2000 r--p 00000000 00:00 0x\n",
		"10000000000000000-20000000000000000 r--p 00000000 00:00 0\n",
		"1000-2000 r--p 00000000 100000000:00 0\n",
		"-1000-2000 r--p 00000000 00:00 0\n",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct maps maps;
		cr_assert(eq(int, parse(&maps, wrong[i]), -1), "accepted: %s", wrong[i]);
	}
}

Test(maps, overlap_and_disorder_are_refused)
{
	struct maps maps;

	cr_assert(
		eq(int,
		   parse(&maps,
			 "1000-3000 r--p 00000000 00:00 0\n2000-4000 r--p 00000000 00:00 0\n"),
		   -1));
	cr_assert(
		eq(int,
		   parse(&maps,
			 "5000-6000 r--p 00000000 00:00 0\n1000-2000 r--p 00000000 00:00 0\n"),
		   -1));
}

Test(maps, a_nul_byte_is_refused)
{
	static const char text[] = "1000-2000 r--p 00000000 00:00 0 /a\0b\n";
	struct maps maps;
	struct hp_err err;

	cr_assert(eq(int, maps_parse(&maps, text, sizeof(text) - 1, &err), -1));
}

Test(maps, find_knows_both_ends)
{
	struct maps maps;

	cr_assert(eq(int, parse(&maps, sample), 0));
	cr_assert(zero(ptr, maps_find(&maps, addr_of(0x3fffff))));
	cr_assert(eq(ptr, maps_find(&maps, addr_of(0x400000)), &maps.items[0]));
	cr_assert(eq(ptr, maps_find(&maps, addr_of(0x41ffff)), &maps.items[0]));
	cr_assert(eq(ptr, maps_find(&maps, addr_of(0x420000)), &maps.items[1]));
	cr_assert(zero(ptr, maps_find(&maps, addr_of(0x500000))));
	cr_assert(eq(ptr, maps_find(&maps, addr_of(0xffffffffff600fff)), &maps.items[5]));
	cr_assert(zero(ptr, maps_find(&maps, addr_of(UINT64_MAX))));
	maps_fini(&maps);
}

Test(maps, our_own_are_read)
{
	struct hp_err err;
	struct maps maps;
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int procfd;

	cr_assert(eq(int, procfs_open(&procfd, getpid(), &err), 0));
	cr_assert(eq(int, maps_read(&maps, procfd, &err), 0));
	const struct map *map = maps_find(&maps, addr_of((uintptr_t)page));
	cr_assert(not(zero(ptr, map)));
	cr_assert(eq(u32, map->prot, 0));
	map = maps_find(&maps, addr_of((uintptr_t)&maps_parse));
	cr_assert(not(zero(ptr, map)));
	cr_assert(eq(u32, map->prot, MAP_READ | MAP_EXEC));
	maps_fini(&maps);
	close(procfd);
}
