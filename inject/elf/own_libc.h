/* SPDX-License-Identifier: MIT
 *
 * The C library of this process, which mostly is the target's as well: what there is to read of
 * its file is mapped here already.
 */
#ifndef INJECT_ELF_OWN_LIBC_H
#define INJECT_ELF_OWN_LIBC_H

#include <stdbool.h>

#include "inject/elf/elf_image.h"

/* Whether the file behind fd is what we run on; then *out is it. It has a build ID, by which it
 * is told from a file that has come in its place since we were started. */
bool own_libc_image(struct elf_image *out, int fd);

#endif
