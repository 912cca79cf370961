/* The part of read.c that knows groups (SPEC.md 9.16, 10.25): fields that are counted together. */

enum { GROUP_ATTEMPTS = 64 };

/* A group as it is told: fields by name, those of all records, and the number of updates. */
struct fields { size_t count; struct event_name *names; uint64_t *values, updates, error; };

/* Reads what a block holds, fields and number of updates; returns how many of these may be missing, or be there in part. */
static uint64_t read_group(uint64_t block, const struct shmetrics_group *group, int is_shared, uint64_t *held)
{
    uint64_t first = load(block + SHMETRICS_GROUP_BLOCK_GROUP_LANDED_OFFSET), landed = first, begun = first;
    for (int attempt = 0; attempt < GROUP_ATTEMPTS; attempt++) {
        landed = load(block + SHMETRICS_GROUP_BLOCK_GROUP_LANDED_OFFSET);
        fence();
        uint64_t from = is_shared ? block + SHMETRICS_GROUP_BLOCK_LENGTH : shmetrics_group_copy_address(block, group, landed);
        for (uint64_t i = 0; i < group->fields; i++) held[i] = load(from + 8 * i);
        held[group->fields] = landed;
        fence();
        begun = load(block + SHMETRICS_GROUP_BLOCK_GROUP_BEGUN_OFFSET);
        if (is_shared ? begun == landed : begun - landed < group->copies) return 0;
    }
    if (is_shared) return begun > landed ? begun - landed : landed - begun;
    memset(held, 0, (group->fields + 1) * sizeof *held);
    return landed ? landed : 1;
}

/* Adds what all lanes have of a record, since its reset, to the fields of these names. */
static void add_group(struct fields *into, const struct series *series)
{
    const struct shmetrics_group *group = &series->group;
    uint64_t sum[SHMETRICS_MAX_GROUP_FIELDS + 1] = {0}, held[SHMETRICS_MAX_GROUP_FIELDS + 1], at = series->placement;
    for (uint64_t lane = 0; lane <= lane_count; lane++) {
        uint64_t block = shmetrics_shared_block_address(&g, at);
        if (lane > 0) {
            uint64_t bits = load(shmetrics_bitmap_address(&g, lanes[lane - 1], at));
            fence(); /* the mark before the block */
            if (!(bits & shmetrics_bitmap_bit(at))) continue;
            block = shmetrics_block_address(&g, lanes[lane - 1], at);
        }
        into->error = saturating_add(into->error, read_group(block, group, lane == 0, held));
        for (uint64_t i = 0; i <= group->fields; i++) sum[i] += held[i];
    }
    if (series->reset_ns) {
        /* As of a histogram: a bucket per field, and one for the updates. */
        const uint64_t *line = series->baseline;
        uint64_t count = group->fields + 1, counted = 0, said = line[SHMETRICS_RESET_COUNT_OFFSET / 8];
        uint64_t lowest = line[SHMETRICS_RESET_LOWEST_OFFSET / 8], highest = line[SHMETRICS_RESET_HIGHEST_OFFSET / 8];
        uint64_t first = count - (lowest < count ? lowest : count), end = highest < count ? highest : count;
        into->error = saturating_add(into->error, line[SHMETRICS_RESET_ERROR_OFFSET / 8]);
        for (uint64_t i = first; i < end; i++) {
            uint64_t had = line[SHMETRICS_BLOCK_BUCKETS + i];
            counted += had;
            if (had > sum[i]) into->error = saturating_add(into->error, had - sum[i]);
            sum[i] = sum[i] > had ? sum[i] - had : 0;
        }
        into->error = saturating_add(into->error, said > counted ? said - counted : counted - said);
    }
    const char *name = series->fields.bytes, *end = name + series->fields.length;
    for (uint64_t i = 0; i < group->fields; i++) {
        size_t length = name_length(name, end), known;
        for (known = 0; known < into->count; known++)
            if (into->names[known].length == length && memcmp(into->names[known].start, name, length) == 0) break;
        if (known == into->count) {
            into->names[into->count] = (struct event_name){name, length};
            into->values[into->count++] = 0;
        }
        into->values[known] += sum[i];
        name += length + 1;
    }
    into->updates += sum[group->fields];
}
