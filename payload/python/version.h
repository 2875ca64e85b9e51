/* SPDX-License-Identifier: MIT
 *
 * Which version of CPython we are in.
 */
#ifndef PAYLOAD_PYTHON_VERSION_H
#define PAYLOAD_PYTHON_VERSION_H

#include <stdint.h>

/* PY_VERSION_HEX without the release level; 0 when it cannot be told. Needs no GIL. */
uint64_t version_hex(void);

#endif
