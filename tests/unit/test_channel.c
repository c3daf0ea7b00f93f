/*
 * Conversations: the table of messages is kept by both ends, packets are strict, nobody waits for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "../../src/ipc/internal.h"
#include "leave_out.h"
#include "p11vault/confine/kernel.h"
#include "p11vault/ipc/channel.h"

static struct error error;

struct pair {
    struct channel *front, *card;
    int raw; /* the card's end again, to send what no channel would */
};

static struct pair open_pair(enum state state)
{
    struct pair pair = {0};
    int ends[2];
    assert_int_equal(channel_pair(ends, false, &error), 0);
    pair.raw = fcntl(ends[1], F_DUPFD_CLOEXEC, 10);
    assert_true(pair.raw >= 0);
    assert_int_equal(channel_new(ends[0], PARTY_FRONT, PARTY_CARD, state, &pair.front, &error), 0);
    assert_int_equal(channel_new(ends[1], PARTY_CARD, PARTY_FRONT, state, &pair.card, &error), 0);
    return pair;
}

static void close_pair(struct pair *pair)
{
    channel_free(pair->front);
    channel_free(pair->card);
    if (pair->raw >= 0)
        close(pair->raw);
}

static void every_rule_is_whole(void **state)
{
    (void)state;
    for (unsigned type = 1; type < MESSAGE_TYPES; type++) {
        const struct message_rule *rule = message_rule(type);
        const struct message_field *field;
        assert_non_null(rule);
        assert_int_equal(rule->type, type);
        assert_true(rule->from != rule->to);
        assert_true(rule->when != 0);
        for (field = rule->fields(); field->kind; field++) {
            assert_non_null(strchr("usbkf", field->kind));
            assert_true(field->offset + sizeof(int) <= sizeof(struct message));
            /* A descriptor comes alone. */
            assert_true(field->kind != 'f' || (field == rule->fields() && field[1].kind == 0));
        }
    }
    assert_null(message_rule(0));
    assert_null(message_rule(MESSAGE_TYPES));
    assert_null(message_rule(255));
}

static void fields_arrive_as_sent(void **state)
{
    (void)state;
    struct pair pair = open_pair(CARD_READY);
    struct message message;
    const uint8_t bytes[5] = {1, 0, 2, 0, 3};
    assert_int_equal(channel_send(pair.front, recipient, &error, .index = UINT64_MAX,
                                  .entry = {bytes, 5}, .proof = {bytes, 0}),
                     0);
    assert_int_equal(channel_receive(pair.card, deadline_in(1000), &message, &error), 0);
    assert_int_equal(message.type, MESSAGE_RECIPIENT);
    assert_true(message.recipient.index == UINT64_MAX);
    assert_int_equal(message.recipient.entry.size, 5);
    assert_memory_equal(message.recipient.entry.bytes, bytes, 5);
    assert_int_equal(message.recipient.proof.size, 0);
    assert_int_equal(channel_send(pair.front, make, &error, .app = "ads"), 0);
    assert_int_equal(channel_state(pair.front), CARD_MAKING);
    assert_int_equal(channel_receive(pair.card, deadline_in(1000), &message, &error), 0);
    assert_string_equal(message.make.app, "ads");
    assert_int_equal(channel_state(pair.card), CARD_MAKING);
    close_pair(&pair);
}

static void wrong_sends_are_refused(void **state)
{
    (void)state;
    struct pair pair = open_pair(CARD_READY);
    /* Not allowed now, not ours to send, a text that is missing or too long. */
    assert_int_equal(channel_send(pair.front, hand, &error, .n = 0, .second = 1), -1);
    assert_int_equal(error.code, CODE_FAULT);
    assert_int_equal(channel_send(pair.front, handed, &error, .n = 0, .second = 1), -1);
    assert_int_equal(channel_send(pair.front, make, &error), -1);
    assert_string_equal(error.text, "message 'make': app: nothing is said");
    static char long_text[MESSAGE_MAX + 1];
    memset(long_text, 'a', MESSAGE_MAX);
    assert_int_equal(channel_send(pair.front, make, &error, .app = long_text), -1);
    assert_int_equal(channel_state(pair.front), CARD_READY);
    close_pair(&pair);
}

/* Packets that no channel sends: each is refused, and the state stays. */
static void malformed_packets_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } packets[] = {
        {"", 1},                               /* too short */
        {"\2\21", 2},                          /* another version */
        {"\1\0", 2},                           /* no type */
        {"\1\377", 2},                         /* no type */
        {"\1\24\0", 3},                        /* a number cut short */
        {"\1\23\0\0\0\2ab\0\0\0\1\0", 12},     /* a text without its NUL */
        {"\1\23\0\0\0\4a\0b\0\0\0\0\1\0", 14}, /* a NUL inside a text */
        {"\1\23\377\377\377\377a\0", 8},       /* a length past the end */
        {"\1\23\0\0\0\2a\0\0\0\0\2b\0x", 15},  /* bytes behind the last field */
        {"\1\15\0\0\0\0\0\0\0\1", 10},         /* an order from the room */
    };
    for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        struct pair pair = open_pair(CARD_OPENING);
        struct message message;
        assert_int_equal(send(pair.raw, packets[i].bytes, packets[i].size, 0), packets[i].size);
        assert_int_equal(channel_receive(pair.front, deadline_in(1000), &message, &error), -1);
        assert_int_equal(error.code, CODE_FAULT);
        assert_int_equal(channel_state(pair.front), CARD_OPENING);
        close_pair(&pair);
    }
}

static void failure_becomes_our_error(void **state)
{
    (void)state;
    struct pair pair = open_pair(CARD_OPENING);
    struct message message;
    struct error failure = {0};
    (void)error_set(&failure, CODE_PIN_WRONG, "PIN is wrong");
    (void)error_hint(&failure, "one more try");
    channel_send_fail(pair.card, &failure);
    assert_int_equal(channel_receive(pair.front, deadline_in(1000), &message, &error), -1);
    assert_int_equal(error.code, CODE_PIN_WRONG);
    assert_string_equal(error.text, "PIN is wrong");
    assert_string_equal(error.hint, "one more try");
    assert_int_equal(channel_state(pair.front), STATE_OVER);
    assert_int_equal(channel_send(pair.front, card_end, &error), -1);
    close_pair(&pair);
}

/* A room that fails while it is still being told things: its last words are read, not lost to the reset. */
static void last_words_survive_unread_orders(void **state)
{
    (void)state;
    struct pair pair = open_pair(CARD_READY);
    struct message message;
    struct error failure = {0};
    (void)error_set(&failure, CODE_LOG, "entry 3 where entry 2 belongs");
    assert_int_equal(channel_send(pair.front, entry, &error, .index = 3, .entry = {"{}", 2}), 0);
    channel_send_fail(pair.card, &failure);
    channel_free(pair.card);
    pair.card = NULL;
    close(pair.raw);
    pair.raw = -1;
    assert_int_equal(channel_send(pair.front, entry, &error, .index = 4, .entry = {"{}", 2}), -1);
    assert_int_equal(error.code, CODE_CARD);
    assert_true(channel_peer_gone(pair.front));
    assert_int_equal(channel_receive(pair.front, deadline_in(1000), &message, &error), -1);
    assert_int_equal(error.code, CODE_LOG);
    assert_string_equal(error.text, "entry 3 where entry 2 belongs");
    close_pair(&pair);
}

static void waits_end(void **state)
{
    (void)state;
    struct pair pair = open_pair(CARD_OPENING);
    struct message message;
    assert_int_equal(channel_receive(pair.front, deadline_in(20), &message, &error), -1);
    assert_int_equal(error.code, CODE_CARD);
    assert_non_null(strstr(error.text, "in time"));
    assert_false(channel_peer_gone(pair.front));
    channel_free(pair.card);
    pair.card = NULL;
    close(pair.raw);
    pair.raw = -1;
    assert_int_equal(channel_receive(pair.front, deadline_in(1000), &message, &error), -1);
    assert_int_equal(error.code, CODE_CARD);
    assert_true(channel_peer_gone(pair.front));
    close_pair(&pair);
}

static void descriptors_travel(void **state)
{
    (void)state;
    struct pair pair = open_pair(CARD_KEYS);
    struct message message;
    int ends[2];
    assert_int_equal(channel_pair(ends, true, &error), 0);
    assert_int_equal(channel_send(pair.front, again, &error, .keys = ends[0]), 0);
    close(ends[0]);
    assert_int_equal(channel_receive(pair.card, deadline_in(1000), &message, &error), 0);
    assert_true(message.again.keys >= 0);
    assert_int_equal(send(message.again.keys, "x", 1, MSG_NOSIGNAL), 1);
    char byte;
    assert_int_equal(recv(ends[1], &byte, 1, 0), 1);
    /* One way is one way. */
    assert_int_equal(send(ends[1], "y", 1, MSG_NOSIGNAL), -1);
    close(message.again.keys);
    close(ends[1]);
    /* Without its descriptor the same message is malformed. */
    assert_int_equal(channel_send(pair.front, again, &error, .keys = -1), 0);
    assert_int_equal(channel_receive(pair.card, deadline_in(1000), &message, &error), -1);
    assert_int_equal(error.code, CODE_FAULT);
    close_pair(&pair);
}

static void open_key_way(struct channel **ret_from, struct channel **ret_to)
{
    int ends[2];
    assert_int_equal(channel_pair(ends, true, &error), 0);
    assert_int_equal(channel_new(ends[0], PARTY_CARD, PARTY_EXCHANGE, KEYS_FLOW, ret_from, &error),
                     0);
    assert_int_equal(channel_new(ends[1], PARTY_EXCHANGE, PARTY_CARD, KEYS_FLOW, ret_to, &error),
                     0);
}

/* Where the kernel can hide them, from root, too; anywhere else they are locked, as all secrets. */
static void keys_travel_in_hidden_memory(void **state)
{
    (void)state;
    struct channel *from, *to;
    if (!kernel_has_hidden())
        leave_out("this kernel has no memfd_secret");
    open_key_way(&from, &to);
    assert_int_equal(secret_kind(from->out), SECRET_HIDDEN);
    assert_int_equal(secret_kind(to->in), SECRET_HIDDEN);
    channel_free(from);
    channel_free(to);
}

static void keys_are_forgotten(void **state)
{
    (void)state;
    struct secret *key;
    struct message message;
    struct channel *from, *to;
    uint8_t point[65] = {4};
    open_key_way(&from, &to);
    assert_int_equal(secret_new(32, &key, &error), 0);
    assert_int_equal(secret_append(key, "0123456789abcdef0123456789abcdef", 32, &error), 0);
    const struct message_bytes bytes = {secret_data(key), secret_size(key)};
    assert_int_equal(channel_send(from, key, &error, .n = 1, .epk = {point, 65},
                                  .content_key = bytes, .second = 2, .second_epk = {point, 65},
                                  .second_content_key = bytes),
                     0);
    assert_int_equal(channel_receive(to, deadline_in(1000), &message, &error), 0);
    const uint8_t *received[] = {message.key.content_key.bytes,
                                 message.key.second_content_key.bytes};
    assert_memory_equal(received[1], "0123456789abcdef", 16);
    channel_forget(to);
    for (size_t i = 0; i < 32; i++)
        assert_true(received[0][i] == 0 && received[1][i] == 0);
    secret_free(key);
    channel_free(from);
    channel_free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_is_whole),
        cmocka_unit_test(fields_arrive_as_sent),
        cmocka_unit_test(wrong_sends_are_refused),
        cmocka_unit_test(malformed_packets_are_refused),
        cmocka_unit_test(failure_becomes_our_error),
        cmocka_unit_test(last_words_survive_unread_orders),
        cmocka_unit_test(waits_end),
        cmocka_unit_test(descriptors_travel),
        cmocka_unit_test(keys_travel_in_hidden_memory),
        cmocka_unit_test(keys_are_forgotten),
    };
    return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
