/* SPDX-License-Identifier: MIT
 *
 * What a process is called in messages: by the pid that it has here, and by the one that it has
 * in its container, which is the one that its own logs show.
 */
#ifndef SRC_PROCESS_NAME_H
#define SRC_PROCESS_NAME_H

#include <sys/types.h>

#define PROCESS_NAME_MAX 64
/* "process 4711", "process 4711 (pid 1 in its container)"; inner_pid as proc_inner_pid() has
 * it. */
const char *process_name(char out[PROCESS_NAME_MAX], pid_t pid, pid_t inner_pid);

#endif
