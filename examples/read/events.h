/* The part of read.c that knows events (SPEC.md 9.12, 10.21): schemas, and how many events there are. */

/* Takes a decimal number from 1 to `most`, without a 0 first, off `at`; 0 if there is none. */
static uint64_t take_number(const char **at, const char *end, uint64_t most)
{
    uint64_t value = 0;
    if (*at < end && **at == '0') return 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        value = 10 * value + (uint64_t)(**at - '0');
        if (value > most) return 0;
    }
    return value;
}

/* The length of the name of a kind or a field; 0 if there is none. */
static size_t name_length(const char *at, const char *end)
{
    const char *start = at;
    while (at < end && ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') || *at == '_' ||
                        *at == '.' || *at == '-'))
        at++;
    size_t length = (size_t)(at - start);
    return length <= SHMETRICS_MAX_EVENT_NAME_LENGTH ? length : 0;
}

struct event_name { const char *start; size_t length; };

/* Notes a name; 0 if it was there, or there is no room. */
static int note_name(struct event_name *names, size_t *count, const char *start, size_t length)
{
    for (size_t i = 0; i < *count; i++)
        if (names[i].length == length && memcmp(names[i].start, start, length) == 0) return 0;
    if (length == 0 || *count == SHMETRICS_MAX_EVENT_FIELDS) return 0;
    names[(*count)++] = (struct event_name){start, length};
    return 1;
}

/* Takes `" " name ":" type` off `at`, and adds the words that the field takes; 0 if it is none. */
static int take_field(const char **at, const char *end, uint64_t *words, struct event_name *fields, size_t *count)
{
    size_t length = name_length(++*at, end);
    if (!note_name(fields, count, *at, length)) return 0;
    *at += length;
    if (*at == end || *(*at)++ != ':') return 0;
    size_t left = (size_t)(end - *at);
    *words += 1;
    if (left >= 4 && memcmp(*at, "text", 4) == 0) {
        *at += 4;
        uint64_t most = take_number(at, end, 65535);
        *words += (most + 7) / 8;
        return most != 0;
    }
    if (left >= 4 && memcmp(*at, "bool", 4) == 0) return *at += 4, 1;
    int is_number = left >= 3 && (memcmp(*at, "u64", 3) == 0 || memcmp(*at, "i64", 3) == 0 || memcmp(*at, "f64", 3) == 0);
    return *at += 3, is_number;
}

/* Is the text a schema whose kinds fit into records of so many words? */
static int is_schema(const struct text *text, uint64_t record_words)
{
    struct event_name kinds[SHMETRICS_MAX_EVENT_KINDS], fields[SHMETRICS_MAX_EVENT_FIELDS];
    size_t kind_count = 0;
    uint64_t last = 0;
    const char *at = text->bytes, *end = at + text->length;
    for (;;) {
        uint64_t code = take_number(&at, end, 65535), words = SHMETRICS_EVENT_LENGTH / 8;
        if (code <= last || at == end || *at++ != ' ') return 0;
        last = code;
        size_t length = name_length(at, end), field_count = 0;
        if (!note_name(kinds, &kind_count, at, length)) return 0;
        at += length;
        while (at < end && *at == ' ')
            if (!take_field(&at, end, &words, fields, &field_count)) return 0;
        if (words > record_words) return 0;
        if (at == end) return 1;
        if (*at++ != '\n') return 0;
    }
}

/* How many events of a block have landed (O1). */
static uint64_t events_landed(uint64_t block, const struct shmetrics_ring *ring)
{
    uint64_t position = load(block + SHMETRICS_EVENTS_BLOCK_EVENT_POSITION_OFFSET);
    fence();
    return position + (load(shmetrics_event_address(block, ring, position)) == 2 * position + 2);
}
