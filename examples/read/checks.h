/* The part of read.c that believes nothing: from a file to checked records (SPEC.md section 12). The rules are applied in their
 * order to private copies, each failure has the name that it has there, and what passed is not looked at again. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "shmetrics_layout.h"

struct text { char *bytes; size_t length; };
struct family { int good; unsigned kind, merge; struct text name; };
struct series {
    uint64_t number, placement, family, created_ns, count_of_buckets, length;
    uint64_t shown;                   /* samples only */
    uint64_t capacity;                /* texts only: bytes */
    unsigned kind, flags;
    double factor;
    struct shmetrics_buckets buckets; /* exponential only */
    double *bounds;                   /* classic only */
    struct shmetrics_ring ring;       /* events only */
    struct shmetrics_group group;     /* groups only, as are the names of their fields */
    struct text fields;
    struct text labels;
    struct text statuses;             /* states only */
    uint64_t reset_ns;                /* when it was reset; 0 = never */
    uint64_t *baseline;               /* what is subtracted then: the words of a counter or number; line 0 and buckets of a histogram or group */
};

static struct shmetrics_header g; /* the checked copy of the header */
static const unsigned char *segment;
static struct family **families; /* by number; NULL = not looked at yet */
static unsigned char *reported;  /* by number */
static unsigned char *taken[3];  /* V-30: counters, gauges, lines of blocks */
static uint64_t labels_length;   /* V-24: of all labels that were decoded */

/* The only way to shared memory. */
static uint64_t load(uint64_t offset) { return __atomic_load_n((const uint64_t *)(segment + offset), __ATOMIC_RELAXED); }
static void fence(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }

static _Noreturn void refuse(const char *rule, const char *what)
{
    fprintf(stderr, "read: %s: %s\n", rule, what);
    exit(1);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory) refuse("out of memory", strerror(errno));
    return memory;
}

/* ---- The header: V-1 to V-11 ---- */

static int open_segment(const char *path)
{
    struct stat stat;
    int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0 || fstat(file, &stat) != 0) refuse("cannot open", strerror(errno));
    if (!S_ISREG(stat.st_mode)) refuse("cannot open", "it is not a regular file");
    if ((uint64_t)stat.st_size < SHMETRICS_HEADER_LENGTH) refuse("V-1 TooShort", "a segment has at least 4096 bytes");
    if (pread(file, &g, sizeof g, 0) != (ssize_t)sizeof g) refuse("cannot read", "the header");
    if (g.magic == 0) refuse("V-2 NotPublished", "the creator is still at work, or died");
    if (g.magic == SHMETRICS_MAGIC_SWAPPED) refuse("V-3 OtherEndianness", "written on a machine of the other byte order");
    if (g.magic != SHMETRICS_MAGIC) refuse("V-4 BadMagic", "it is not a segment");
    if (g.version == 0 || g.compatible_from > SHMETRICS_VERSION || g.compatible_from > g.version)
        refuse("V-5 OtherVersion", "this reader knows versions 1 and 2");
    if (g.checksum != shmetrics_header_checksum(&g)) refuse("V-6 BadChecksum", "the header is damaged");
    if (g.required_features != 0) refuse("V-7 UnknownFeatures", "the segment needs features that this reader does not know");
    const char *out_of_range = shmetrics_capacity_out_of_range(&g);
    if (out_of_range) refuse("V-8 CapacityOutOfRange", out_of_range);
    struct shmetrics_header derived = g;
    shmetrics_derive(&derived);
    if (derived.file_length > SHMETRICS_MAX_FILE_LENGTH) refuse("V-8 CapacityOutOfRange", "file_length");
    /* Words that are not derived are equal in both. */
    if (memcmp(&derived, &g, sizeof g) != 0) refuse("V-9 InconsistentOffset", "an offset is not what the capacities lead to");
    if ((uint64_t)stat.st_size < g.file_length) refuse("V-10 Truncated", "the file is shorter than its header says");
    if (g.version < SHMETRICS_ERROR_LOG_VERSION &&
        (g.errors | g.errors_region | g.reset_tables | g.resets_region | g.reset_stride) != 0)
        refuse("V-11 ReservedNotZero", "a word that version 1 does not have is not 0");
    for (size_t i = 0; g.version <= SHMETRICS_VERSION && i < sizeof g.reserved_158 / 8; i++)
        if (g.reserved_158[i] != 0) refuse("V-11 ReservedNotZero", "a reserved word is not 0");
    void *mapped = mmap(NULL, g.file_length, PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) refuse("cannot map", strerror(errno));
    segment = mapped;
    return file;
}

/* ---- The records: V-20 to V-30 ---- */

static int bad_range(uint64_t range, uint64_t most)
{
    uint64_t offset = shmetrics_range_offset(range), length = shmetrics_range_length(range);
    return length > most || offset % 8 != 0 || offset + length > g.text_length;
}

static struct text copy_text(uint64_t range)
{
    struct text text = {NULL, shmetrics_range_length(range)};
    text.bytes = allocate(text.length + 8, 1);
    for (size_t i = 0; i < text.length; i += 8) {
        uint64_t word = load(g.text_region + shmetrics_range_offset(range) + i);
        memcpy(text.bytes + i, &word, sizeof word);
    }
    return text;
}

static int is_utf8(const char *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes, *end = at + length;
    while (at < end) {
        unsigned char first = *at++;
        int more = first < 0x80 ? 0 : first < 0xc2 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : -1;
        if (more < 0 || end - at < more) return 0;
        if ((first == 0xe0 && *at < 0xa0) || (first == 0xed && *at > 0x9f)) return 0; /* too long; surrogates */
        if ((first == 0xf0 && *at < 0x90) || (first == 0xf4 && *at > 0x8f)) return 0; /* too long; above U+10FFFF */
        for (; more > 0; more--)
            if ((*at++ & 0xc0) != 0x80) return 0;
    }
    return 1;
}

struct pair { const char *name, *value; size_t name_length, value_length; };

/* Takes the next pair of canonical labels (7.4) off `at`; 0 if the bytes are none. */
static int next_pair(const struct text *labels, size_t *at, struct pair *pair)
{
    const unsigned char *bytes = (const unsigned char *)labels->bytes + *at;
    size_t left = labels->length - *at;
    if (left < 4) return 0;
    pair->name_length = bytes[0] | (size_t)bytes[1] << 8;
    pair->value_length = bytes[2] | (size_t)bytes[3] << 8;
    if (left - 4 < pair->name_length + pair->value_length) return 0;
    pair->name = labels->bytes + *at + 4;
    pair->value = pair->name + pair->name_length;
    *at += 4 + pair->name_length + pair->value_length;
    return 1;
}

static int are_canonical(const struct text *labels)
{
    struct pair pair, last = {"", "", 0, 0};
    size_t at = 0, count = 0;
    while (at < labels->length) {
        if (!next_pair(labels, &at, &pair) || ++count > SHMETRICS_MAX_LABELS) return 0;
        if (pair.name_length == 0 || pair.name_length > SHMETRICS_MAX_LABEL_NAME_LENGTH) return 0;
        if (pair.value_length > SHMETRICS_MAX_LABEL_VALUE_LENGTH) return 0;
        if (!is_utf8(pair.name, pair.name_length) || !is_utf8(pair.value, pair.value_length)) return 0;
        size_t shorter = pair.name_length < last.name_length ? pair.name_length : last.name_length;
        int order = memcmp(last.name, pair.name, shorter);
        if (order > 0 || (order == 0 && last.name_length >= pair.name_length)) return 0;
        last = pair;
    }
    return 1;
}

#include "events.h"
#include "statuses.h"

/* Are the fields of a series' record as many names as it has, each once? */
static int are_fields(const struct text *text, uint64_t expected)
{
    struct event_name names[SHMETRICS_MAX_EVENT_FIELDS];
    size_t count = 0;
    const char *at = text->bytes, *end = at + text->length;
    for (;;) {
        size_t length = name_length(at, end);
        if (count == SHMETRICS_MAX_GROUP_FIELDS || !note_name(names, &count, at, length)) return 0;
        at += length;
        if (at == end) return count == expected;
        if (*at++ != '\n') return 0;
    }
}

static void report(uint64_t number, const char *rule)
{
    if (!reported[number]) fprintf(stderr, "record %" PRIu64 ": %s\n", number, rule);
    reported[number] = 1;
}

/* Copies a record once; the checks that families and series have in common. */
static const char *copy_record(uint64_t number, struct shmetrics_record *record)
{
    uint64_t words[SHMETRICS_RECORD_LENGTH / 8];
    for (size_t i = 0; i < sizeof words / 8; i++) words[i] = load(shmetrics_record_address(&g, number) + 8 * i);
    memcpy(record, words, sizeof words);
    unsigned type = shmetrics_shape_type(record->shape), kind = shmetrics_shape_kind(record->shape);
    if (record->checksum != shmetrics_record_checksum(record)) return "V-20 BadChecksum";
    if (type != SHMETRICS_TYPE_FAMILY && type != SHMETRICS_TYPE_SERIES) return "V-21 UnknownType";
    int is_known = (kind >= SHMETRICS_KIND_COUNTER_U64 && kind <= SHMETRICS_KIND_TEXT) || kind == SHMETRICS_KIND_GROUP ||
                   kind == SHMETRICS_KIND_IN_FLIGHT;
    return is_known ? NULL : "V-22 UnknownKind";
}

/* May a family of this kind have this merge rule (8.2)? */
static int may_merge(unsigned kind, unsigned merge)
{
    if (kind == SHMETRICS_KIND_TIME_MARK) return merge == SHMETRICS_MERGE_MIN || merge == SHMETRICS_MERGE_MAX;
    if (kind == SHMETRICS_KIND_STATE) return merge == SHMETRICS_MERGE_EACH;
    return merge >= SHMETRICS_MERGE_SUM && merge <= SHMETRICS_MERGE_EACH;
}

static const char *check_family(const struct shmetrics_record *record, struct family *family)
{
    family->kind = shmetrics_shape_kind(record->shape);
    family->merge = shmetrics_shape_merge(record->shape);
    if (!may_merge(family->kind, family->merge)) return "V-23 UnknownMerge";
    if (shmetrics_range_length(record->text) == 0) return "V-24 BadText";
    if (bad_range(record->text, SHMETRICS_MAX_NAME_LENGTH) || bad_range(record->extra, SHMETRICS_MAX_HELP_LENGTH) ||
        bad_range(record->unit, SHMETRICS_MAX_UNIT_LENGTH))
        return "V-24 BadText";
    family->name = copy_text(record->text);
    struct text help = copy_text(record->extra), unit = copy_text(record->unit);
    family->good = is_utf8(family->name.bytes, family->name.length) && is_utf8(help.bytes, help.length) &&
                   is_utf8(unit.bytes, unit.length);
    free(help.bytes);
    free(unit.bytes);
    return family->good ? NULL : "V-29 BadEncoding";
}

static int is_gauge_kind(unsigned kind) { return kind == SHMETRICS_KIND_GAUGE_I64 || kind == SHMETRICS_KIND_GAUGE_F64; }
/* Kinds that have a cell per process slot. */
static int is_of_slots(unsigned kind)
{
    return is_gauge_kind(kind) || kind == SHMETRICS_KIND_TIME_MARK || kind == SHMETRICS_KIND_STATE;
}
static int is_histogram_kind(unsigned kind)
{
    return kind >= SHMETRICS_KIND_HISTOGRAM_INTEGER && kind <= SHMETRICS_KIND_HISTOGRAM_CLASSIC;
}

/* What a series' own words say: all rules up to the number of its family. */
static const char *parse_series(const struct shmetrics_record *record, struct series *series)
{
    unsigned kind = series->kind = shmetrics_shape_kind(record->shape);
    unsigned ring_slots = shmetrics_shape_ring_slots(record->shape);
    series->flags = shmetrics_shape_flags(record->shape);
    series->family = record->unit;
    series->created_ns = record->created;
    series->factor = shmetrics_double(record->factor);
    if (bad_range(record->text, SHMETRICS_MAX_ENCODED_LENGTH)) return "V-24 BadText";
    if (kind == SHMETRICS_KIND_HISTOGRAM_CLASSIC) {
        uint64_t bounds_length = shmetrics_range_length(record->extra);
        if (bad_range(record->extra, 8 * SHMETRICS_MAX_BOUNDS)) return "V-24 BadText";
        if (bounds_length == 0 || bounds_length % 8 != 0) return "V-25 BadBuckets";
        series->count_of_buckets = bounds_length / 8 + 1;
    } else if (kind == SHMETRICS_KIND_EVENTS) {
        if (!shmetrics_ring_of(record->buckets, &series->ring)) return "V-25 BadBuckets";
        if (shmetrics_range_length(record->extra) == 0 || bad_range(record->extra, SHMETRICS_MAX_SCHEMA_LENGTH))
            return "V-24 BadText";
    } else if (kind == SHMETRICS_KIND_STATE) {
        if (shmetrics_range_length(record->extra) == 0 || bad_range(record->extra, MAX_STATUSES_LENGTH)) return "V-24 BadText";
    } else if (kind == SHMETRICS_KIND_SAMPLES) {
        if (record->buckets == 0 || record->buckets > SHMETRICS_MAX_SAMPLES) return "V-25 BadBuckets";
        series->shown = record->buckets;
    } else if (kind == SHMETRICS_KIND_TEXT) {
        if (record->buckets == 0 || record->buckets > SHMETRICS_MAX_TEXT_CAPACITY) return "V-25 BadBuckets";
        series->capacity = record->buckets;
    } else if (kind == SHMETRICS_KIND_GROUP) {
        if (!shmetrics_group_of(record->buckets, &series->group)) return "V-25 BadBuckets";
        if (shmetrics_range_length(record->extra) == 0 || bad_range(record->extra, SHMETRICS_MAX_GROUP_NAMES_LENGTH))
            return "V-24 BadText";
        series->count_of_buckets = series->group.fields + 1; /* of what a reset keeps */
    } else if (kind == SHMETRICS_KIND_IN_FLIGHT) {
        if (record->buckets > 12) return "V-25 BadBuckets";
        series->count_of_buckets = (uint64_t)1 << record->buckets;
    } else if (is_histogram_kind(kind)) {
        if (!shmetrics_buckets_of(record->buckets, &series->buckets)) return "V-25 BadBuckets";
        series->count_of_buckets = shmetrics_bucket_count(series->buckets);
    }
    if (!isfinite(series->factor) || series->factor <= 0 || ring_slots > SHMETRICS_MAX_RING_SLOTS) return "V-25 BadBuckets";
    series->length = series->shown ? shmetrics_samples_length(series->shown) : series->count_of_buckets ? shmetrics_block_length(series->count_of_buckets, ring_slots) : 0;
    if (kind == SHMETRICS_KIND_EVENTS) series->length = shmetrics_events_length(series->ring);
    if (kind == SHMETRICS_KIND_TEXT)
        series->length = SHMETRICS_LINE_LENGTH + 8 * ((32 + (series->capacity + 7) / 8 * 8 + 127) / 128 * 128);
    if (kind == SHMETRICS_KIND_GROUP) series->length = shmetrics_group_length(&series->group);
    if (kind == SHMETRICS_KIND_IN_FLIGHT) series->length = SHMETRICS_LINE_LENGTH * ((1 + 9 * series->count_of_buckets) | 1);
    if (record->length != series->length || series->length > SHMETRICS_MAX_BLOCK_LENGTH || series->length > g.blocks_length)
        return "V-26 BadLength";
    if (series->family == 0 || series->family > g.records) return "V-27 BadFamily";
    return NULL;
}

/* The family at a record; checked, and reported if it is bad, when it is first asked for. */
static const struct family *find_family(uint64_t number)
{
    if (families[number]) return families[number];
    struct family *family = families[number] = allocate(1, sizeof *family);
    struct shmetrics_record record;
    const char *bad = copy_record(number, &record);
    struct series series = {0};
    /* A good series is not to blame for being named as a family. */
    if (!bad)
        bad = shmetrics_shape_type(record.shape) == SHMETRICS_TYPE_FAMILY ? check_family(&record, family)
                                                                          : parse_series(&record, &series);
    if (bad) report(number, bad);
    return family;
}

/* V-30: marks the units of a cell; 0 if one of them is another's. */
static int take(unsigned char *map, uint64_t first, uint64_t count)
{
    if (memchr(map + first, 1, count)) return 0;
    memset(map + first, 1, count);
    return 1;
}

static const char *check_series(const struct shmetrics_record *record, struct series *series)
{
    const char *bad = parse_series(record, series);
    if (bad) return bad;
    int has_block = series->length > 0, is_gauge = is_of_slots(series->kind);
    uint64_t units = series->kind == SHMETRICS_KIND_NUMBER ? 2 : 1;
    uint64_t at = series->placement = record->cell - 1;
    uint64_t capacity = has_block ? g.blocks_length : is_gauge ? g.gauges : g.counters;
    if (record->cell == 0 || at >= capacity || units > capacity - at) return "V-28 BadCell";
    if (has_block && (at % SHMETRICS_LINE_LENGTH != 0 || series->length > capacity - at)) return "V-28 BadCell";
    const struct family *family = find_family(series->family);
    if (!family->good || family->kind != series->kind) return "V-27 BadFamily";
    if (shmetrics_range_length(record->text) > g.text_length - labels_length) return "V-24 BadText";
    labels_length += shmetrics_range_length(record->text);
    series->labels = copy_text(record->text);
    if (!are_canonical(&series->labels)) return "V-29 BadEncoding";
    if (series->kind == SHMETRICS_KIND_HISTOGRAM_CLASSIC) {
        series->bounds = (double *)(void *)copy_text(record->extra).bytes;
        for (uint64_t i = 0; i + 1 < series->count_of_buckets; i++)
            if (!isfinite(series->bounds[i]) || (i > 0 && series->bounds[i] <= series->bounds[i - 1])) return "V-25 BadBuckets";
    }
    if (series->kind == SHMETRICS_KIND_STATE) {
        series->statuses = copy_text(record->extra);
        if (!are_statuses(&series->statuses)) return "V-25 BadBuckets";
    }
    if (series->kind == SHMETRICS_KIND_EVENTS) {
        struct text schema = copy_text(record->extra);
        int is_good = is_schema(&schema, series->ring.record_words);
        free(schema.bytes);
        if (!is_good) return "V-29 BadEncoding";
    }
    if (series->kind == SHMETRICS_KIND_GROUP) {
        series->fields = copy_text(record->extra);
        if (!are_fields(&series->fields, series->group.fields)) return "V-29 BadEncoding";
    }
    int is_free = has_block ? take(taken[2], at / SHMETRICS_LINE_LENGTH, series->length / SHMETRICS_LINE_LENGTH)
                               : take(taken[is_gauge], at, units);
    return is_free ? NULL : "V-30 Overlap";
}

static size_t walk_records(struct series **all)
{
    uint64_t reserved = load(SHMETRICS_HEADER_RESERVED_OFFSET), count = 0, room = 0;
    if (reserved > g.records) reserved = g.records;
    families = allocate(g.records + 1, sizeof *families);
    reported = allocate(g.records + 1, 1);
    taken[0] = allocate(g.counters, 1);
    taken[1] = allocate(g.gauges, 1);
    taken[2] = allocate(g.blocks_length / SHMETRICS_LINE_LENGTH + 1, 1);
    *all = NULL;
    for (uint64_t number = 1; number <= reserved; number++) {
        if (load(shmetrics_record_address(&g, number) + SHMETRICS_RECORD_READY_OFFSET) != SHMETRICS_READY) continue;
        fence(); /* the content, its texts and its family are visible */
        struct shmetrics_record record;
        struct series series = {.number = number};
        const char *bad = copy_record(number, &record);
        if (!bad && shmetrics_shape_type(record.shape) == SHMETRICS_TYPE_FAMILY) {
            find_family(number);
            continue;
        }
        if (!bad) bad = check_series(&record, &series);
        if (bad) {
            report(number, bad);
            free(series.labels.bytes);
            free(series.statuses.bytes);
            free(series.bounds);
            free(series.fields.bytes);
            continue;
        }
        if (count == room) {
            room = room ? 2 * room : 64;
            if (!(*all = realloc(*all, room * sizeof **all))) refuse("out of memory", "series");
        }
        (*all)[count++] = series;
    }
    return count;
}
