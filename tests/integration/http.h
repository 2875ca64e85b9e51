/* SPDX-License-Identifier: MIT
 *
 * One request to a server on this machine.
 */
#ifndef TESTS_INTEGRATION_HTTP_H
#define TESTS_INTEGRATION_HTTP_H

#include <stddef.h>

/* A port that nobody listened at a moment ago. */
int http_free_port(void);

/* The body of the answer to GET `path`. -1 when nobody listens; a bad answer ends the test. */
int http_get(char *out, size_t size, int port, const char *path);

#endif
