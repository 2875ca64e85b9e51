/* SPDX-License-Identifier: MIT
 *
 * Modules whose source file is gone: a module that became a package, a package that became a
 * module, or one that is in another folder now.
 */
#ifndef PAYLOAD_SOURCE_ELSEWHERE_H
#define PAYLOAD_SOURCE_ELSEWHERE_H

#include "payload/job/job.h"

/* Where would a fresh start find the module? 1: module->place and old_file are set, and
 * origin_find() is to be asked anew; 0: it would not, or not in an ordinary file. No exception
 * is left. */
int elsewhere_find(const struct job *job, struct module *module);

#endif
