/* SPDX-License-Identifier: MIT
 *
 * A victim that is linked with musl: `musl_victim FD BODY`. FD is the memory that it shares
 * with the test.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/trace/bodies.h"

static const struct body *find(const struct body *bodies, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(bodies[i].name, name) == 0)
			return &bodies[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct victim_shared *shared;
	const struct body *body;

	if (argc != 3)
		return 2;
	body = find(parked_bodies, parked_body_count, argv[2]);
	if (!body)
		body = find(active_bodies, active_body_count, argv[2]);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[1]),
		      0);
	if (!body || shared == MAP_FAILED)
		return 1;
	victim_become(body, shared);
}
