/* SPDX-License-Identifier: MIT */
#include "tests/integration/http.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/cleanup.h"

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

int http_free_port(void)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = loopback(0);
	socklen_t size = sizeof(address);

	cr_assert(eq(int, bind(fd, (const struct sockaddr *)&address, size), 0));
	cr_assert(eq(int, getsockname(fd, (struct sockaddr *)&address, &size), 0));
	return ntohs(address.sin_port);
}

int http_get(char *out, size_t size, int port, const char *path)
{
	const struct sockaddr_in address = loopback(port);
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[4096];
	size_t used = 0;
	ssize_t got;

	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	cr_assert(lt(int, 0, dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", path)));
	while (used < sizeof(text) - 1 &&
	       (got = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)got;
	text[used] = '\0';
	cr_assert(ne(ptr, strstr(text, "\r\n\r\n"), NULL), "%s", text);
	snprintf(out, size, "%s", strstr(text, "\r\n\r\n") + 4);
	return 0;
}
