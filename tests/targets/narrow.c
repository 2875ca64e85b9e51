/* SPDX-License-Identifier: MIT
 *
 * A 32-bit program that needs no library: it waits for ever.
 */
#define PAUSE 29 /* arch/x86/entry/syscalls/syscall_32.tbl */

__attribute__((noreturn)) void _start(void);

void _start(void)
{
	for (;;) {
		long result = PAUSE;

		__asm__ volatile("int $0x80" : "+a"(result) : : "memory");
	}
}
