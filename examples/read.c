/* A complete reader in C: opens a segment read-only and prints one line per series.
 *
 *     cc -std=c11 -O2 -I include examples/read.c -o shmetrics-read -lm
 *     ./shmetrics-read /dev/shm/shmetrics-1000/app
 *
 *     requests_total{method="GET"} 1027
 *     queue_depth{} 7
 *     load{} 0:0.25 3:0.5                                        a gauge that is not merged: process slot, value
 *     last_served{} 1795165200000000000                          a time mark: nanoseconds since 1970
 *     fetch{} 0:"OK"*4 3:"FATAL"*5!                              process slot, status, how often in a row; ! is unhealthy
 *     jobs{} written=9 dropped=0 held=9 fullest=6 capacity=512   events: how many, not which
 *     latency_seconds{} count=5 sum=0.021 min=0.001 max=0.009 p50=0.0041 p99=0.0088
 *
 *     phase{} text="serving" cut=0 set_ns=1795165200000000000 refused=0
 *     deliveries{} updates=9 ok=7 failed=2                       fields that are counted together
 *     requests{} in_flight=3 parked=1 overflow=0 forgotten=0     keys that live processes work on, that nobody works on, ...
 *
 * Behind a histogram that could not be read exactly stands bounded=N: its count is off by at most N. "none" is a gauge or state that
 * no process has set, a time mark of what never happened, and what an empty histogram does not have. Records that are passed over are reported on standard error. Ends
 * with 0; with 1 if the file is refused, and says why.
 *
 * It goes by SPEC.md: check header and records (read/checks.h), find what is committed and who lives, read the cells, merge
 * them (histograms: read/histogram.h). Three rules hold throughout: every shared word is loaded once, whole, relaxed (`load`),
 * and only the copy is used; nothing is touched that no mark covers; every loop is bounded by a number that was checked.
 * Windows, cuts and the per-process view are not here. What was counted before a reset is subtracted. */
#define _GNU_SOURCE /* locks of open file descriptions */
#include "read/checks.h"
#include "read/histogram.h"
#include "read/groups.h"
#include "read/in_flight.h"
#include "read/texts.h"

struct slot { uint64_t owner; int committed, alive; };

static struct slot *slots;
static struct series *all;

/* ---- Who lives, and what is committed (10.4, D-5) ---- */

static void find_slots(int file)
{
    slots = allocate(g.process_slots, sizeof *slots);
    for (uint64_t slot = 0; slot < g.process_slots; slot++) {
        uint64_t entry = shmetrics_process_entry_address(&g, slot);
        uint64_t before = load(entry + SHMETRICS_PROCESS_OWNER_OFFSET);
        if (shmetrics_slot_state_of(before) != SHMETRICS_SLOT_FREE) {
            struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = (off_t)(SHMETRICS_LOCK_BASE_OFFSET + slot),
                                 .l_len = 1};
            if (fcntl(file, F_OFD_GETLK, &lock) != 0) refuse("cannot ask who owns", strerror(errno));
            slots[slot].alive = lock.l_type == F_WRLCK;
        }
        /* The verdict is of the incarnation that was asked for; a newer one is alive until asked. */
        uint64_t owner = slots[slot].owner = load(entry + SHMETRICS_PROCESS_OWNER_OFFSET);
        if (shmetrics_slot_incarnation(owner) != shmetrics_slot_incarnation(before)) slots[slot].alive = 1;
        if (shmetrics_slot_state_of(owner) == SHMETRICS_SLOT_FREE) slots[slot].alive = 0;
        slots[slot].committed = load(entry + SHMETRICS_PROCESS_COMMITTED_OFFSET) != 0;
    }
    fence(); /* owners and marks before the gauges */
}

static void find_lanes(void)
{
    lanes = allocate(g.lanes, sizeof *lanes);
    for (uint64_t lane = 1; lane <= g.lanes; lane++) {
        uint64_t entry = shmetrics_lane_entry_address(&g, lane);
        if (load(entry + SHMETRICS_LANE_OWNER_OFFSET) != 0 && load(entry + SHMETRICS_LANE_COMMITTED_OFFSET) != 0)
            lanes[lane_count++] = lane;
    }
    fence(); /* marks before the cells */
}

/* ---- What was reset (10.19): copied before the cells, and whole ---- */

enum { RESET_ATTEMPTS = 8 };

/* Times and baselines of the table in force. Returns 1 if no reset came in between. */
static int copy_baselines(struct series *series, size_t count)
{
    uint64_t resets = shmetrics_reset_tables(&g) ? load(SHMETRICS_HEADER_RESET_OFFSET) : 0, table = resets & 1;
    fence();
    for (size_t i = 0; i < count; i++, series++) {
        int is_histogram = is_histogram_kind(series->kind) || series->kind == SHMETRICS_KIND_GROUP;
        int is_last = series->kind == SHMETRICS_KIND_TIME_MARK && families[series->family]->merge == SHMETRICS_MERGE_MAX;
        int is_kept = (is_of_slots(series->kind) && !is_last) || series->kind == SHMETRICS_KIND_SAMPLES ||
                      series->kind == SHMETRICS_KIND_EVENTS || series->kind == SHMETRICS_KIND_IN_FLIGHT;
        series->reset_ns = resets && !is_kept ? load(shmetrics_reset_time_address(&g, table, series->number)) : 0;
        if (!series->reset_ns || is_last) continue; /* of a time mark the time says it all */
        uint64_t from = is_histogram ? shmetrics_reset_block_address(&g, table, series->placement)
                                     : shmetrics_reset_counter_address(&g, table, series->placement);
        uint64_t words = is_histogram ? SHMETRICS_BLOCK_BUCKETS + series->count_of_buckets : 2;
        if (!series->baseline) series->baseline = allocate(words, sizeof *series->baseline);
        if (series->kind != SHMETRICS_KIND_NUMBER && !is_histogram) words = 1;
        for (uint64_t word = 0; word < words; word++) series->baseline[word] = load(from + 8 * word);
    }
    fence();
    return resets == 0 || load(SHMETRICS_HEADER_RESET_OFFSET) == resets;
}

static void find_baselines(struct series *series, size_t count)
{
    for (int attempt = 0; attempt < RESET_ATTEMPTS; attempt++)
        if (copy_baselines(series, count)) return;
    refuse("is being reset", "again and again; try later");
}

/* ---- Printing ---- */

/* D-7: quotes, backslashes and control characters (C0, DEL, C1) are escaped. */
static void print_text(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '"' || byte == '\\') printf("\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f) printf("\\u{%x}", byte);
        else if (byte == 0xc2 && (unsigned char)bytes[i + 1] < 0xa0) printf("\\u{%x}", (unsigned char)bytes[++i]);
        else putchar(byte);
    }
}

static void print_name(const struct series *series)
{
    const struct text *name = &families[series->family]->name;
    struct pair pair;
    print_text(name->bytes, name->length);
    putchar('{');
    for (size_t at = 0; at < series->labels.length && next_pair(&series->labels, &at, &pair);) {
        if (pair.name != series->labels.bytes + 4) putchar(',');
        print_text(pair.name, pair.name_length);
        printf("=\"");
        print_text(pair.value, pair.value_length);
        putchar('"');
    }
    printf("} ");
}

static void print_number(const char *name, double value, int is_there)
{
    if (is_there) printf("%s%.17g", name, value);
    else printf("%snone", name);
}

/* Below, members are revisions of one series, oldest first. A line is printed for them; nothing if the series collects the overflow
 * of a family, as the first record says, and has none. */
static int is_overflow(struct series *const *members, size_t member_count)
{
    const struct series *first = members[0];
    for (size_t i = 1; i < member_count; i++)
        if (members[i]->number < first->number) first = members[i];
    return (first->flags & SHMETRICS_FLAG_OVERFLOW) != 0;
}

static void print_counter(struct series *const *members, size_t member_count)
{
    uint64_t whole = 0, whole_before = 0;
    struct compensated real = {0, 0}, real_before = {0, 0};
    for (size_t i = 0; i < member_count; i++) {
        if (!members[i]->reset_ns) continue;
        whole_before += members[i]->baseline[0];
        add(&real_before, shmetrics_double(members[i]->baseline[0]));
    }
    for (uint64_t lane = 0; lane <= lane_count; lane++) {
        for (size_t i = 0; i < member_count; i++) {
            uint64_t at = members[i]->placement;
            uint64_t word = load(lane == 0 ? shmetrics_shared_counter_address(&g, at)
                                           : shmetrics_counter_address(&g, lanes[lane - 1], at));
            whole += word;
            add(&real, shmetrics_double(word));
        }
    }
    int is_whole = members[0]->kind == SHMETRICS_KIND_COUNTER_U64;
    whole = whole > whole_before ? whole - whole_before : 0;
    double since = fmax(0, total(real)) - total(real_before); /* it began at 0 and never goes down */
    if (!(since > 0)) since = 0;
    if (is_overflow(members, member_count) && (is_whole ? whole == 0 : since == 0)) return;
    print_name(members[0]);
    if (is_whole) printf("%" PRIu64 "\n", whole);
    else printf("%.17g\n", since);
}

static void print_sum_of_parts(struct series *const *members, size_t member_count)
{
    uint64_t whole = 0;
    struct compensated real = {0, 0}, real_before = {0, 0};
    int is_float = 0;
    for (size_t i = 0; i < member_count; i++) {
        if (!members[i]->reset_ns) continue;
        whole -= members[i]->baseline[0];
        add(&real_before, shmetrics_double(members[i]->baseline[1]));
    }
    for (uint64_t lane = 0; lane <= lane_count; lane++) {
        for (size_t i = 0; i < member_count; i++) {
            uint64_t word[2];
            for (uint64_t part = 0; part < 2; part++) {
                uint64_t at = members[i]->placement + part;
                word[part] = load(lane == 0 ? shmetrics_shared_counter_address(&g, at)
                                            : shmetrics_counter_address(&g, lanes[lane - 1], at));
            }
            whole += word[0];
            is_float |= word[1] != 0;
            add(&real, shmetrics_double(word[1]));
        }
    }
    double sum = (double)(int64_t)whole + (total(real) - total(real_before));
    if (is_overflow(members, member_count) && (is_float ? sum == 0 : whole == 0)) return;
    print_name(members[0]);
    if (is_float) printf("%.17g\n", sum);
    else printf("%" PRId64 "\n", (int64_t)whole);
}

/* How many samples were ever recorded (10.22). The values themselves are left to readers that need them. */
static void print_samples(struct series *const *members, size_t member_count)
{
    uint64_t count = 0, invalid = 0;
    for (size_t i = 0; i < member_count; i++) {
        for (uint64_t lane = 0; lane <= lane_count; lane++) {
            uint64_t at = members[i]->placement, block = shmetrics_shared_block_address(&g, at);
            if (lane > 0) {
                uint64_t bits = load(shmetrics_bitmap_address(&g, lanes[lane - 1], at));
                fence(); /* the mark before the block */
                if (!(bits & shmetrics_bitmap_bit(at))) continue;
                block = shmetrics_block_address(&g, lanes[lane - 1], at);
            }
            count += load(block + SHMETRICS_SAMPLES_BLOCK_SAMPLES_ENDED_OFFSET);
            invalid += load(block + SHMETRICS_SAMPLES_BLOCK_SAMPLES_INVALID_OFFSET);
        }
    }
    if (is_overflow(members, member_count) && count == 0 && invalid == 0) return;
    print_name(members[0]);
    printf("recorded=%" PRIu64 "\n", count);
}

#include "read/gauges.h"

static void print_histogram(struct series *const *members, size_t member_count)
{
    static struct histogram histogram;
    int is_classic = members[0]->kind == SHMETRICS_KIND_HISTOGRAM_CLASSIC;
    /* Of classic revisions only the newest is shown. */
    if (is_classic) read_histogram(&histogram, members + member_count - 1, 1);
    else read_histogram(&histogram, members, member_count);
    int has = histogram.count > 0;
    if (is_overflow(members, member_count) && !has && histogram.invalid == 0 && histogram.error == 0) return;
    print_name(members[0]);
    printf("count=%" PRIu64 " sum=%.17g", histogram.count, total(histogram.sum));
    print_number(" min=", histogram.minimum, has && !isnan(histogram.minimum));
    print_number(" max=", histogram.maximum, has && !isnan(histogram.maximum));
    for (int i = 0; i < 2 && !is_classic; i++) {
        double value = has ? quantile(&histogram, i == 0 ? 0.5 : 0.99) : NAN;
        print_number(i == 0 ? " p50=" : " p99=", value, !isnan(value));
    }
    if (histogram.error) printf(" bounded=%" PRIu64, histogram.error);
    putchar('\n');
}

static void print_group(struct series *const *members, size_t member_count)
{
    struct fields found = {0};
    found.names = allocate(SHMETRICS_MAX_GROUP_FIELDS * member_count, sizeof *found.names);
    found.values = allocate(SHMETRICS_MAX_GROUP_FIELDS * member_count, sizeof *found.values);
    for (size_t i = 0; i < member_count; i++) add_group(&found, members[i]);
    int says_nothing = found.updates == 0 && found.error == 0;
    for (size_t i = 0; i < found.count; i++) says_nothing &= found.values[i] == 0;
    if (!is_overflow(members, member_count) || !says_nothing) {
        print_name(members[0]);
        printf("updates=%" PRIu64, found.updates);
        for (size_t i = 0; i < found.count; i++)
            printf(" %.*s=%" PRIu64, (int)found.names[i].length, found.names[i].start, found.values[i]);
        if (found.error) printf(" bounded=%" PRIu64, found.error);
        putchar('\n');
    }
    free(found.names);
    free(found.values);
}

/* Is this an active owner of the slot that lives? */
static int is_live(uint64_t slot, uint64_t incarnation)
{
    uint64_t owner = slots[slot].owner;
    return slots[slot].alive && shmetrics_slot_state_of(owner) == SHMETRICS_SLOT_ACTIVE &&
           (shmetrics_slot_incarnation(owner) & 0x3ffff) == incarnation;
}

static void print_in_flight(struct series *const *members, size_t member_count)
{
    struct in_flight all_tables = {0, 0, 0, 0}, *found = &all_tables;
    for (size_t i = 0; i < member_count; i++)
        count_in_flight(found, g.shared_blocks_region + members[i]->placement, members[i]->count_of_buckets, is_live);
    int says_nothing = !(found->working | found->parked | found->overflow | found->forgotten);
    if (is_overflow(members, member_count) && says_nothing) return;
    print_name(members[0]);
    printf("in_flight=%" PRIu64 " parked=%" PRIu64, found->working, found->parked);
    printf(" overflow=%" PRIu64 " forgotten=%" PRIu64 "\n", found->overflow, found->forgotten);
}

/* A series has one record. If a file has several the oldest counts. */
static void print_set_text(struct series *const *members, size_t member_count)
{
    struct copied_text copy;
    uint64_t block = shmetrics_shared_block_address(&g, members[0]->placement);
    uint64_t refused = load(block + SHMETRICS_TEXT_REFUSED_OFFSET);
    copy_set_text(&copy, block, members[0]->capacity);
    if (is_overflow(members, member_count) && !copy.is_set && !copy.is_unreadable && refused == 0) return;
    print_name(members[0]);
    if (copy.is_set) {
        printf("text=\"");
        print_text((const char *)copy.words, copy.content & 0xffff);
        printf("\" cut=%d set_ns=%" PRIu64, (int)(copy.content >> 16 & 1), copy.set_ns);
    } else printf("text=%s", copy.is_unreadable ? "unreadable" : "none");
    printf(" refused=%" PRIu64 "\n", refused);
}

/* ---- Series and their revisions ---- */

/* Same family, same labels: neighbours, oldest first. */
static int compare_keys(const struct series *a, const struct series *b)
{
    if (a->family != b->family) return a->family < b->family ? -1 : 1;
    if (a->labels.length != b->labels.length) return a->labels.length < b->labels.length ? -1 : 1;
    return memcmp(a->labels.bytes, b->labels.bytes, a->labels.length);
}

static int by_key_and_age(const void *left, const void *right)
{
    const struct series *a = *(struct series *const *)left, *b = *(struct series *const *)right;
    int order = compare_keys(a, b);
    if (order == 0) order = a->created_ns < b->created_ns ? -1 : a->created_ns > b->created_ns;
    return order ? order : a->number < b->number ? -1 : a->number > b->number;
}

/* How many events there are: what they say is for whoever follows them. */
static void print_events(struct series *const *members, size_t member_count)
{
    uint64_t written = 0, dropped = 0, held = 0, fullest = 0, capacity = 0;
    for (size_t i = 0; i < member_count; i++) {
        const struct series *series = members[i];
        dropped += load(shmetrics_shared_block_address(&g, series->placement) + SHMETRICS_EVENTS_BLOCK_EVENT_DROPPED_OFFSET);
        for (uint64_t lane = 0; lane < lane_count; lane++) {
            uint64_t at = series->placement;
            if (!(load(shmetrics_bitmap_address(&g, lanes[lane], at)) & shmetrics_bitmap_bit(at))) continue;
            fence(); /* the bit before the block */
            uint64_t landed = events_landed(shmetrics_block_address(&g, lanes[lane], at), &series->ring);
            uint64_t kept = landed < series->ring.capacity ? landed : series->ring.capacity;
            written += landed;
            held += kept;
            fullest = kept > fullest ? kept : fullest;
            capacity += series->ring.capacity;
        }
    }
    if (is_overflow(members, member_count) && (written | dropped | capacity) == 0) return;
    print_name(members[0]);
    printf("written=%" PRIu64 " dropped=%" PRIu64 " held=%" PRIu64 " fullest=%" PRIu64 " capacity=%" PRIu64 "\n", written, dropped,
           held, fullest, capacity);
}

struct group { uint64_t first_number; size_t start, count; };

static int by_first_number(const void *left, const void *right)
{
    const struct group *a = left, *b = right;
    return a->first_number < b->first_number ? -1 : a->first_number > b->first_number;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s PATH\n", argv[0]);
        return 2;
    }
    int file = open_segment(argv[1]);
    size_t count = walk_records(&all), group_count = 0;
    find_baselines(all, count);
    find_slots(file);
    find_lanes();
    if (load(SHMETRICS_HEADER_RETIRED_OFFSET)) fputs("the segment is retired: open its name again\n", stderr);

    struct series **sorted = allocate(count, sizeof *sorted);
    struct group *groups = allocate(count, sizeof *groups);
    for (size_t i = 0; i < count; i++) sorted[i] = &all[i];
    qsort(sorted, count, sizeof *sorted, by_key_and_age);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || compare_keys(sorted[i - 1], sorted[i]) != 0)
            groups[group_count++] = (struct group){sorted[i]->number, i, 0};
        struct group *group = &groups[group_count - 1];
        group->count++;
        if (sorted[i]->number < group->first_number) group->first_number = sorted[i]->number;
    }
    qsort(groups, group_count, sizeof *groups, by_first_number);
    for (size_t i = 0; i < group_count; i++) {
        struct series *const *members = sorted + groups[i].start;
        unsigned kind = members[0]->kind;
        if (kind == SHMETRICS_KIND_EVENTS) print_events(members, groups[i].count);
        else if (kind == SHMETRICS_KIND_TEXT) print_set_text(members, groups[i].count);
        else if (kind == SHMETRICS_KIND_GROUP) print_group(members, groups[i].count);
        else if (kind == SHMETRICS_KIND_IN_FLIGHT) print_in_flight(members, groups[i].count);
        else if (kind == SHMETRICS_KIND_NUMBER) print_sum_of_parts(members, groups[i].count);
        else if (kind == SHMETRICS_KIND_SAMPLES) print_samples(members, groups[i].count);
        else if (is_histogram_kind(kind)) print_histogram(members, groups[i].count);
        else if (is_gauge_kind(kind)) print_gauge(members, groups[i].count);
        else if (kind == SHMETRICS_KIND_TIME_MARK) print_time_mark(members, groups[i].count);
        else if (kind == SHMETRICS_KIND_STATE) print_states(members, groups[i].count);
        else print_counter(members, groups[i].count);
    }
    free(groups);
    free(sorted);
    return fflush(stdout) == 0 ? 0 : 1;
}
