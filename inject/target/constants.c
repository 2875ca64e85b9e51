/* SPDX-License-Identifier: MIT
 *
 * Searching the constants of a file that is mapped, for what no symbol leads to.
 */
#include <stdlib.h>

#include "inject/base/cleanup.h"
#include "inject/target/parts.h"

enum { CHUNK = 256 << 10, OVERLAP = 32 };

bool constants_search(const struct target *target, const struct module *module,
		      bool (*found)(void *context, const char *text, size_t len), void *context)
{
	_cleanup_free_ char *text = malloc(CHUNK);
	struct hp_err ignored;

	for (size_t i = 0; text && i < module->image.segment_count; i++) {
		const struct elf_segment *s = &module->image.segments[i];
		uint64_t start = module->bias + s->vaddr, done = 0;

		while (!s->write && !s->exec && done < s->filesz) {
			size_t len = s->filesz - done < CHUNK ? s->filesz - done : CHUNK;

			if (target_read(target, addr_of(start + done), text, len, &ignored) < 0)
				return false;
			if (found(context, text, len))
				return true;
			done += len < CHUNK ? len : CHUNK - OVERLAP;
		}
	}
	return false;
}
