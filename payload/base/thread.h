/* SPDX-License-Identifier: MIT
 *
 * Threads, by the program's own thread library: they run Python.
 */
#ifndef PAYLOAD_BASE_THREAD_H
#define PAYLOAD_BASE_THREAD_H

/* Each runs start(argument), with the caller's signal mask. */

/* On a stack of the library's; nobody waits for it. 0 or an errno value. */
int thread_start_detached(unsigned long stack_size, void *(*start)(void *), void *argument);

/* On a stack of ours. */
struct thread {
	void *stack; /* NULL: there is no such thread */
	unsigned long id;
};

/* It may not be there. thread_end waits for it, and leaves nothing. */
void thread_begin(struct thread *out, void *(*start)(void *), void *argument);
void thread_end(struct thread *thread);

#endif
