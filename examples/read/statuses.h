/* The part of read.c that knows the statuses of states (SPEC.md 7.4). */

enum { STATUS_HEAD_LENGTH = 6 }; /* before each name */
#define MAX_STATUSES_LENGTH (SHMETRICS_MAX_STATUSES * (STATUS_HEAD_LENGTH + SHMETRICS_MAX_STATUS_NAME_LENGTH))

struct status { const char *name; size_t length; int32_t unhealthy_from; }; /* -1 = never */

/* Takes the next status off `at`; 0 if the bytes are none. */
static int next_status(const struct text *statuses, size_t *at, struct status *status)
{
    const unsigned char *bytes = (const unsigned char *)statuses->bytes + *at;
    size_t left = statuses->length - *at;
    if (left < STATUS_HEAD_LENGTH) return 0;
    uint32_t from = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    memcpy(&status->unhealthy_from, &from, sizeof from);
    status->length = bytes[4] | (size_t)bytes[5] << 8;
    if (left - STATUS_HEAD_LENGTH < status->length) return 0;
    status->name = statuses->bytes + *at + STATUS_HEAD_LENGTH;
    *at += STATUS_HEAD_LENGTH + status->length;
    return 1;
}

/* The status with this number; 0 if there is none. */
static int find_status(const struct text *statuses, uint64_t number, struct status *status)
{
    size_t at = 0;
    for (uint64_t i = 0; at < statuses->length && next_status(statuses, &at, status); i++)
        if (i == number) return 1;
    return 0;
}

static int are_statuses(const struct text *statuses)
{
    struct status status, other;
    size_t at = 0;
    uint64_t count = 0;
    for (; at < statuses->length; count++) {
        if (!next_status(statuses, &at, &status) || count == SHMETRICS_MAX_STATUSES) return 0;
        if (status.length == 0 || status.length > SHMETRICS_MAX_STATUS_NAME_LENGTH || status.unhealthy_from < -1) return 0;
        if (!is_utf8(status.name, status.length)) return 0;
        for (uint64_t i = 0; i < count && find_status(statuses, i, &other); i++)
            if (other.length == status.length && memcmp(other.name, status.name, status.length) == 0) return 0;
    }
    return count > 0;
}
