/* SPDX-License-Identifier: MIT
 *
 * Between the parser and the look-ups, for inject/elf/ alone.
 */
#ifndef INJECT_ELF_ELF_INDEX_H
#define INJECT_ELF_ELF_INDEX_H

#include "inject/base/err.h"
#include "inject/elf/elf_image.h"

/* Fill by_name: of a file without a table of hashes that can be used. */
HP_MUST_CHECK int elf_image_index(struct elf_image *image, struct hp_err *err);

#endif
