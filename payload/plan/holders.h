/* SPDX-License-Identifier: MIT
 *
 * Whether a namespace has functions that its names do not lead to.
 */
#ifndef PAYLOAD_PLAN_HOLDERS_H
#define PAYLOAD_PLAN_HOLDERS_H

#include "payload/plan/plan.h"

/* 1 when walk_functions() finds every function of the module, of which nothing runs. */
int holders_are_known(const struct plan *plan, const struct module *module);

#endif
