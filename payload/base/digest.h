/* SPDX-License-Identifier: MIT
 *
 * SHA-256, so that a report can be compared with what sha256sum(1) says of a file.
 */
#ifndef PAYLOAD_BASE_DIGEST_H
#define PAYLOAD_BASE_DIGEST_H

#include "payload/base/py.h"

#define DIGEST_HEX_SIZE 65

/* The digest of a bytes object as lower-case hexadecimal; "" when it is none. */
void digest_bytes(char out[DIGEST_HEX_SIZE], PyObject *bytes);

#endif
