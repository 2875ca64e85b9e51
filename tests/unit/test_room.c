/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/trace/room.h"

static const char text[] = "10000000-10010000 rw-p 00000000 00:00 0 \n"
			   "20000000-20100000 r--p 00000000 00:00 0 \n"
			   "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0 [stack]\n";
static struct maps maps;

static void read_maps(void)
{
	struct hp_err err;

	cr_assert(eq(int, maps_parse(&maps, text, strlen(text), &err), 0));
}

static void free_maps(void)
{
	maps_fini(&maps);
}

TestSuite(room, .init = read_maps, .fini = free_maps);

static bool enough(uint64_t sp, uint64_t lowest, uint64_t limit)
{
	return room_is_enough(&maps, addr_of(sp), addr_of(lowest), limit);
}

Test(room, a_thread_has_what_is_mapped)
{
	cr_assert(enough(0x1000f000, 0x10000000, ~0ull));
	cr_assert(not(enough(0x1000f000, 0x0ffffff8, ~0ull)));
}

Test(room, the_main_stack_grows_up_to_its_limit)
{
	const uint64_t sp = 0x7ffc00001000, end = 0x7ffc00021000;

	cr_assert(enough(sp, 0x7ffc00000000, 0), "what is mapped stays usable");
	cr_assert(not(enough(sp, 0x7ffbffffff00, 0)));
	cr_assert(enough(sp, end - (1 << 20), 1 << 20));
	cr_assert(not(enough(sp, end - (1 << 20) - 8, 1 << 20)));
	cr_assert(enough(sp, end - (1 << 20) - 8, ~0ull), "unlimited");
}

Test(room, not_into_the_gap_above_the_next_mapping)
{
	cr_assert(enough(0x7ffc00001000, 0x20200000, ~0ull));
	cr_assert(not(enough(0x7ffc00001000, 0x201ffff8, ~0ull)));
}

Test(room, what_was_mapped_later_is_for_the_write_to_find_out)
{
	cr_assert(enough(0x30000000, 0x2ffff000, 0));
	cr_assert(enough(0x20000800, 0x20000000, 0), "read-only when it was described");
}
