/* SPDX-License-Identifier: MIT
 *
 * Threads, by the program's own thread library: they run Python.
 */
#ifndef PAYLOAD_BASE_THREAD_H
#define PAYLOAD_BASE_THREAD_H

/* A thread that runs start(argument), with the caller's signal mask. Each 0 or an errno value.
 */

/* On a stack of the library's. Nobody waits for it. */
int thread_start_detached(unsigned long stack_size, void *(*start)(void *), void *argument);

/* On `stack`; thread_join is due. */
int thread_start(unsigned long *out, void *stack, unsigned long size, void *(*start)(void *),
		 void *argument);
void thread_join(unsigned long thread);

#endif
