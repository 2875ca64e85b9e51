/* SPDX-License-Identifier: MIT */
#include "payload/base/channel.h"

#include <fcntl.h>

#include "payload/base/sys.h"

int channel_swap_state(struct wire_channel *channel, uint32_t from, uint32_t to)
{
	if (!__atomic_compare_exchange_n(&channel->state, &from, to, 0, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return -1;
	sys_futex_wake(&channel->state);
	return 0;
}

int channel_owner_lives(const struct wire_channel *channel)
{
	struct flock lock = {.l_type = F_WRLCK}; /* l_whence 0: from the start */

	/* Fails when there is no memfd, or the program closed all its descriptors meanwhile (a
	 * daemon does). */
	if (sys_fcntl(channel->memfd, F_OFD_GETLK, (long)&lock) < 0)
		return !(__atomic_load_n(&channel->owner, __ATOMIC_ACQUIRE) & FUTEX_OWNER_DIED);
	return lock.l_type != F_UNLCK;
}
