/*
 * The table of messages, as channels read it: who, to whom, when, what follows, which fields.
 */
#include "p11vault/ipc/messages.h"

#define KIND_NUMBER 'u'
#define KIND_TEXT 's'
#define KIND_BYTES 'b'
#define KIND_SECRET 'k'
#define KIND_FD 'f'

/* A function for each message, so that `of` can be its own type in each. */
#define FIELD(kind, name) {KIND_##kind, offsetof(struct message, list) + offsetof(of, name), #name},
#define FIELDS(constant, name, who, when, next, ...)                                               \
    static const struct message_field *fields_of_##name(void)                                      \
    {                                                                                              \
        typedef struct message_##name of;                                                          \
        static const struct message_field fields[] = {                                             \
            MESSAGE_EACH(FIELD, __VA_ARGS__){0, sizeof(of), ""}};                                  \
        return fields;                                                                             \
    }
MESSAGE_TABLE(FIELDS)

#define RULE(constant, name, who, when, next, ...)                                                 \
    {MESSAGE_##constant, #name, who, when, next, fields_of_##name},
static const struct message_rule rules[] = {MESSAGE_TABLE(RULE)};

const struct message_rule *message_rule(unsigned type)
{
    return type > MESSAGE_NONE && type < MESSAGE_TYPES ? &rules[type - 1] : NULL;
}
