/* SPDX-License-Identifier: MIT
 *
 * Where the payload is.
 */
#ifndef SRC_PAYLOAD_PATH_H
#define SRC_PAYLOAD_PATH_H

#include "inject/base/err.h"

/* The payload's path, owned by the caller: what PYHOTPATCH_PAYLOAD names, else the one of the
 * build tree that the program runs from, else the installed one. */
HP_MUST_CHECK int payload_path_find(char **out, struct hp_err *err);

#endif
