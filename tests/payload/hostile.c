/* SPDX-License-Identifier: MIT
 *
 * A payload that lies: what the program outside reads of it is garbage, of the kind that the
 * request's first module name numbers. It is linked with the real way in and out.
 */
#include <errno.h>
#include <sys/mman.h>

#include "payload/base/freestanding.h"
#include "payload/base/sys.h"
#include "payload/entry/holder.h"
#include "payload/entry/serve.h"

static const char evil[] = "\033]0;owned\007\033[2J\033[31mred\233[1m\r\b\x7f\xe2\x80\xae"
			   "\xff\xfe\xc3\x28\n\t\xc2\x9b[5m";

static struct wire_reply *reply_of(struct wire_channel *channel)
{
	return (struct wire_reply *)((char *)channel + channel->reply_offset);
}

static void fill_with(struct wire_channel *channel, int byte)
{
	memset(reply_of(channel), byte, 1 << 16);
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* A reply whose form is right and whose texts are not. */
static void write_evil(struct wire_channel *channel, uint32_t status)
{
	struct wire_reply *reply = reply_of(channel);
	char *at = (char *)(reply + 1);

	*reply = (struct wire_reply){
		.magic = WIRE_MAGIC, .version = WIRE_VERSION, .status = status};
	for (uint8_t kind = 1; kind < WIRE_RECORD_KIND_COUNT; kind++) {
		const size_t size =
			(sizeof(struct wire_record) + 3 * sizeof(evil) + 7) & ~(size_t)7;
		const struct wire_record record = {.kind = kind,
						   .wording = (uint8_t)(WIRE_TEXT_COUNT - kind),
						   .action = 1,
						   .size = (uint32_t)size,
						   .count = ~0u};

		memset(at, 0, size);
		memcpy(at, &record, sizeof(record));
		for (size_t i = 0; i < 3; i++)
			memcpy(at + sizeof(record) + i * sizeof(evil), evil, sizeof(evil));
		at += size;
		reply->used += size;
		reply->record_count++;
	}
}

static void finish(struct wire_channel *channel, uint32_t state)
{
	__atomic_store_n(&channel->state, state, __ATOMIC_SEQ_CST);
	sys_futex_wake(&channel->state);
}

static void write_random(struct wire_channel *channel)
{
	uint32_t seed = (uint32_t)sys_now_ns() | 1, *words = (uint32_t *)reply_of(channel);

	for (size_t i = 0; i < 4096; i++)
		words[i] = next_random(&seed);
}

/* Right, but for one word of the header or the first record. */
static void write_flipped(struct wire_channel *channel)
{
	uint32_t seed = (uint32_t)sys_now_ns() | 1, *words = (uint32_t *)reply_of(channel);

	write_evil(channel, WIRE_STATUS_APPLIED);
	words[next_random(&seed) % 32] = next_random(&seed) % 3 ? next_random(&seed) : ~0u;
}

/* All that the program outside reads, once the hijacked thread is away: the liar shall live. */
static void spoil_channel(struct wire_channel *channel)
{
	while (__atomic_load_n(&channel->guest, __ATOMIC_ACQUIRE) != WIRE_GUEST_LEFT)
		sys_pause(100000);
	channel->worker_tid = 1;
	channel->phase = 0x7fffffff;
	channel->entry_result = 12345;
	channel->magic = channel->version = 0;
	channel->reply_offset = channel->reply_capacity = ~0ull;
}

/* A file that was mapped and is shorter now would kill whoever reads it. */
static void shrink(struct wire_channel *channel)
{
	sys_call3(SYS_ftruncate, channel->memfd, 0, 0);
}

static void change_for_a_while(struct wire_channel *channel)
{
	const int64_t began = sys_now_ns();

	finish(channel, WIRE_DONE);
	while (sys_now_ns() - began < 20000000)
		write_flipped(channel);
}

/* Whatever it is told, it says that it waits. */
static void claim_again(struct wire_channel *channel, uint32_t state)
{
	const int64_t began = sys_now_ns();

	while (sys_now_ns() - began < 1500000000) {
		finish(channel, state);
		sys_pause(200000);
	}
}

PAYLOAD_EXPORT void payload_serve(struct wire_channel *channel)
{
	const char *name =
		(const char *)channel + channel->request_offset + sizeof(struct wire_request);

	switch (*name) {
	case '0':
		write_evil(channel, WIRE_STATUS_APPLIED);
		break;
	case '1':
		write_evil(channel, WIRE_STATUS_SOURCE_ERROR);
		break;
	case '2':
		fill_with(channel, 0xff);
		break;
	case '3':
		fill_with(channel, 0);
		break;
	case '4':
		write_random(channel);
		break;
	case '5':
		write_flipped(channel);
		break;
	case '6':
		write_evil(channel, WIRE_STATUS_REFUSED);
		spoil_channel(channel);
		break;
	case '7':
		shrink(channel);
		break;
	case '8':
		change_for_a_while(channel);
		return;
	case 'a':
		claim_again(channel, WIRE_PREPARED);
		return;
	case 'b':
		claim_again(channel, WIRE_APPLIED);
		return;
	default:
		finish(channel, 0xdeadbeef);
		return;
	}
	finish(channel, WIRE_DONE);
}

int holder_serve(struct wire_channel *channel)
{
	(void)channel;
	return EBUSY;
}
