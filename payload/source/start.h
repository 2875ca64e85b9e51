/* SPDX-License-Identifier: MIT
 *
 * When the program that this process runs began to import its modules.
 */
#ifndef PAYLOAD_SOURCE_START_H
#define PAYLOAD_SOURCE_START_H

#include <stdint.h>

/* CLOCK_REALTIME, not later than the first import; 0 when it cannot be told. */
int64_t start_of_program_ns(void);

#endif
