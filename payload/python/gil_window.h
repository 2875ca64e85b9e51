/* SPDX-License-Identifier: MIT
 *
 * A free-threaded interpreter (PEP 703) gets its GIL for as long as we work in it.
 */
#ifndef PAYLOAD_PYTHON_GIL_WINDOW_H
#define PAYLOAD_PYTHON_GIL_WINDOW_H

#include "payload/base/py.h"

/* Whether this interpreter runs its threads side by side, or could. */
int gil_window_is_needed(void);

/* Calls work(context) on this thread, which is attached, while no other thread can run Python.
 * -1 without an exception, and without a call, when this interpreter's GIL cannot be had. */
int gil_window_run(void (*work)(void *context), void *context);

#endif
