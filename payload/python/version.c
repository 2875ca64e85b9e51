/* SPDX-License-Identifier: MIT */
#include "payload/python/version.h"

#include "payload/base/py.h"
#include "payload/base/sys.h"

#define LOOKS   1000
#define LOOK_NS 10000

/* "3.12.1 (main, ...)" */
static uint64_t hex_of(const char *at)
{
	uint64_t hex = 0;

	for (int part = 0; part < 3; part++, at++) {
		uint64_t number = 0;
		for (; *at >= '0' && *at <= '9'; at++)
			number = number * 10 + (uint64_t)(*at - '0');
		hex = hex << 8 | (number & 0xff);
		if (*at != '.')
			at--;
	}
	return hex << 8;
}

/* Up to 3.11 each call writes the text anew, to the same place (Python/getversion.c), and
 * glibc's snprintf() begins with an end. The worker of another attach may do so without the GIL
 * while we read. */
uint64_t version_hex(void)
{
	uint64_t hex = 0;

	for (int i = 0; i < LOOKS && !(hex = hex_of(Py_GetVersion())); i++)
		sys_pause(LOOK_NS);
	return hex;
}
