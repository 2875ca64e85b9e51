/* SPDX-License-Identifier: MIT
 *
 * Having something done on the program's main thread, between two instructions of whatever that
 * executes, while the worker waits without the GIL: for code that must run there (signals, user
 * interfaces).
 */
#ifndef PAYLOAD_SHADOW_MAIN_THREAD_H
#define PAYLOAD_SHADOW_MAIN_THREAD_H

#include "payload/job/job.h"

/* Calls run(argument) there; it runs here where this is the main thread, or the interpreter is
 * not the main one. Returns what it returned, with the exception that it left, if any. -1 with
 * the job refused when the main thread did not come in time: then it is not run later. */
int main_thread_run(struct job *job, int (*run)(void *argument), void *argument);

#endif
