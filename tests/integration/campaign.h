/* SPDX-License-Identifier: MIT
 *
 * Tests that are worth repeating thousands of times run a share of that in the usual suite, and
 * all of it when PYHOTPATCH_CAMPAIGN is set (scripts/campaign).
 */
#ifndef TESTS_INTEGRATION_CAMPAIGN_H
#define TESTS_INTEGRATION_CAMPAIGN_H

#include <stdlib.h>

static inline int campaign_size(int whole, int share)
{
	return getenv("PYHOTPATCH_CAMPAIGN") ? whole : share;
}

#endif
