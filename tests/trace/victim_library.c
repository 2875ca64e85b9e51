/* SPDX-License-Identifier: MIT
 *
 * Something for a victim on musl to load.
 */
int victim_library(void);

int victim_library(void)
{
	return 1;
}
